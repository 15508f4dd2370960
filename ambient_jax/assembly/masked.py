"""Settings of masked diffusion: from shares of a run to its objective and completer."""

from dataclasses import dataclass, field

import numpy as np

from ambient_jax.diffusion.masked.completer import MaskedCompleter
from ambient_jax.diffusion.masked.consistency import Consistency
from ambient_jax.diffusion.masked.objective import MaskedObjective
from ambient_jax.diffusion.masked.query_masking import QueryMasking
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.diffusion.masked.schedules import Linear, Schedule
from ambient_jax.training.trainer import Plan

DENSE_MISSING, SPARSE_MISSING = 0.6, 0.9
"""Missing shares at which `default_start` and the default of `final_temperature` were
chosen, on digits and on MNIST14 (docs/recipe.md); linear between, constant outside."""

START_DENSE, START_SPARSE = 1 / 4, 1 / 6
FINAL_DENSE, FINAL_SPARSE = 1.0, 0.9


def round_at(share: float, rounds: int) -> int:
    """The round of a run that lies at a share of its rounds, in [0, 1)."""
    return min(round(share * rounds), max(rounds - 1, 0))


@dataclass(frozen=True, kw_only=True)
class MaskedSettings:
    """Settings of the masked family (`settings.FamilySettings`).

    Attributes:
      schedule, imputed_weight, natural_share, query_masking: see `MaskedObjective`.
      consistency: form of the consistency loss.
      consistency_weight: its weight (lambda) after the ramp; 0 omits the loss.
      consistency_start: share of the rounds before its ramp, in [0, 1); None: it starts
        with the first E-step.
      consistency_ramp_rounds: rounds over which the weight grows to its full value.
      skip_unweighted_consistency: see `MaskedObjective`.
      initial_sampler, refresh_sampler, fraction, temperature: see `MaskedCompleter`.
      final_temperature: temperature of the last E-step; None: by the missing share of
        the data, from 1 at 60 % to 0.9 at 90 %.
    """

    schedule: Schedule = field(default_factory=Linear)
    imputed_weight: float = 1.0
    natural_share: float = MaskedObjective.natural_share
    query_masking: QueryMasking | None = None
    consistency: Consistency = Consistency(teacher="ema", gap=0.3, rows="natural")
    consistency_weight: float = 1.0
    consistency_start: float | None = 0.0
    consistency_ramp_rounds: int = 1
    skip_unweighted_consistency: bool = False
    initial_sampler: Sampler = Sampler(num_reveals=128)
    refresh_sampler: Sampler = Sampler(num_reveals=16)
    fraction: float = 0.3
    temperature: float = 0.5
    final_temperature: float | None = None

    def __post_init__(self) -> None:
        start = self.consistency_start
        if start is not None and not 0 <= start < 1:
            raise ValueError(f"consistency_start must lie in [0, 1), got {start}")

    def default_start(self, missing_share: float) -> float:
        """Share of the run before the first E-step: 1/4 at 60 % missing, 1/6 at 90 %.

        The less is observed, the more of what is known of dense contexts comes from
        the draws, which must then start earlier.
        """
        return float(_between(missing_share, START_DENSE, START_SPARSE))

    def objective(self, plan: Plan, start_round: int | None) -> MaskedObjective:
        """Returns the objective of a run.

        Args:
          plan: of the run.
          start_round: round of the first E-step; None: there is none.
        """
        start = start_round or 0
        if self.consistency_start is not None:
            start = round_at(self.consistency_start, plan.rounds)
        return MaskedObjective(
            schedule=self.schedule,
            imputed_weight=float(self.imputed_weight),
            natural_share=self.natural_share,
            consistency=self.consistency if self.consistency_weight else None,
            consistency_weight=float(self.consistency_weight),
            consistency_start_step=float(start * plan.steps_per_round),
            consistency_ramp_steps=float(
                self.consistency_ramp_rounds * plan.steps_per_round
            ),
            skip_unweighted_consistency=self.skip_unweighted_consistency,
            query_masking=self.query_masking,
        )

    def completer(
        self, plan: Plan, start_round: int, missing_share: float
    ) -> MaskedCompleter:
        """Returns the completer of a run, whose last E-step has the final temperature.

        Args:
          plan: of the run.
          start_round: round of the first E-step.
          missing_share: share of the training cells that is missing, in [0, 1].
        """
        final = self.final_temperature
        if final is None:
            final = round(_between(missing_share, FINAL_DENSE, FINAL_SPARSE), 2)
        return MaskedCompleter(
            initial_sampler=self.initial_sampler,
            refresh_sampler=self.refresh_sampler,
            fraction=self.fraction,
            temperature=self.temperature,
            final_temperature=final,
            warming_rounds=max(1, plan.rounds - 1 - start_round),
        )


def _between(missing_share: float, dense: float, sparse: float) -> float:
    shares = (DENSE_MISSING, SPARSE_MISSING)
    return float(np.interp(missing_share, shares, (dense, sparse)))
