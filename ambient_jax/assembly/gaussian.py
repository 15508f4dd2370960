"""Settings of the Gaussian family: its objective, its completer and its prior."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from ambient_jax.diffusion.gaussian.ambient_objective import AmbientObjective
from ambient_jax.diffusion.gaussian.cdmt_objective import CdmtObjective
from ambient_jax.diffusion.gaussian.edm_objective import EdmObjective
from ambient_jax.diffusion.gaussian.levels import LogNormal
from ambient_jax.diffusion.gaussian.posterior import PosteriorCompleter
from ambient_jax.diffusion.gaussian.preconditioning import Preconditioning
from ambient_jax.diffusion.gaussian.sampling import EdmSampler
from ambient_jax.family import Objective, Prior
from ambient_jax.priors.gaussian import GaussianPrior
from ambient_jax.training.trainer import Plan

Method = Literal["edm", "ambient", "cdmt"]


@dataclass(frozen=True, kw_only=True)
class GaussianSettings:
    """Settings of the Gaussian family (`settings.FamilySettings`).

    Rows are scaled to a standard deviation of `preconditioning.sigma_data`; levels are
    in these units.

    Attributes:
      method: what the M-step minimises: `edm` (on complete or completed rows),
        `ambient` (on incomplete rows, corrupted further) or `cdmt` (on noisy rows).
      levels, preconditioning, imputed_weight: see `EdmObjective`.
      hidden_share: see `AmbientObjective`.
      noise, consistency_weight, gap: see `CdmtObjective`; used by `cdmt` alone.
      sampler: of the draws of the E-step, and of samples and completions.
      observation_noise, iterations: see `PosteriorCompleter`.

    Raises:
      ValueError: there is no method of that name.
    """

    method: Method = "edm"
    levels: LogNormal = LogNormal()
    preconditioning: Preconditioning = Preconditioning()
    imputed_weight: float = EdmObjective.imputed_weight
    hidden_share: float = AmbientObjective.hidden_share
    noise: float = 0.0
    consistency_weight: float = CdmtObjective.consistency_weight
    gap: float = CdmtObjective.gap
    sampler: EdmSampler = EdmSampler(num_steps=32, sigma_max=10.0)
    observation_noise: float = PosteriorCompleter.noise
    iterations: int = PosteriorCompleter.iterations

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ValueError(
                f"method {self.method!r} is unknown; use one of {get_args(Method)}"
            )

    def default_start(self, missing_share: float) -> float:
        """Share of the run before the first E-step: 0, since the prior draws first."""
        return 0.0

    def objective(self, plan: Plan, start_round: int | None) -> Objective:
        """Returns the objective of a run, by its method.

        Raises:
          ValueError: a value lies outside the range that the method needs.
        """
        levels, preconditioning = self.levels, self.preconditioning
        if self.method == "ambient":
            return AmbientObjective(
                levels=levels, preconditioning=preconditioning,
                hidden_share=self.hidden_share,
            )  # fmt: skip
        if self.method == "cdmt":
            return CdmtObjective(
                noise=self.noise, levels=levels, preconditioning=preconditioning,
                consistency_weight=self.consistency_weight, gap=self.gap,
            )  # fmt: skip
        return EdmObjective(
            levels=levels, preconditioning=preconditioning,
            imputed_weight=self.imputed_weight,
        )  # fmt: skip

    def completer(
        self, plan: Plan, start_round: int, missing_share: float
    ) -> PosteriorCompleter:
        """Returns the completer of a run, the same in all E-steps."""
        return PosteriorCompleter(
            sampler=self.sampler, noise=self.observation_noise,
            iterations=self.iterations,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class GaussianPriorSettings:
    """The low-rank Gaussian that draws first (`priors.PriorBuilder`).

    Attributes:
      rank, iterations: see `GaussianPrior`.
      laps: number of E-steps in which it draws, at least 1.

    Raises:
      ValueError: `laps` is below 1.
    """

    rank: int = GaussianPrior.rank
    iterations: int = GaussianPrior.iterations
    laps: int = 1

    def __post_init__(self) -> None:
        if self.laps < 1:
            raise ValueError(f"laps must be at least 1, got {self.laps}")

    def rounds(self, rounds: int) -> int:
        """Number of rounds, of a run of so many, in which the prior draws."""
        return min(self.laps, rounds)

    def prior_of(self, data: Any) -> Prior:
        """Returns the prior; its size does not depend on the data."""
        return GaussianPrior(rank=self.rank, iterations=self.iterations)
