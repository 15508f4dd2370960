"""The E-step: draws the missing values of the training rows from the current model."""

from collections.abc import Iterator
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from ambient_jax import keys
from ambient_jax.data.dataset import IncompleteData
from ambient_jax.diffusion.masked import sampling
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.inference.row_map import RowMap
from ambient_jax.types import Denoiser, Params, bind


def start_and_end(missing_share: float) -> tuple[float, float]:
    """When EM starts, as a share of the run, and how cold its last draws are.

    Found at 60 % missing (1/4 and 1, digits) and at 90 % (1/6 and 0.7, MNIST14); linear
    between, constant outside: docs/recipe.md. The less is observed, the more of what is
    known of dense contexts comes from the draws themselves.
    """
    sparse = float(np.clip((missing_share - 0.6) / 0.3, 0.0, 1.0))
    return 1 / 4 - sparse / 12, round(1.0 - 0.3 * sparse, 2)


def round_at(start: float, rounds: int) -> int:
    """The round of a run that `start`, a share of its rounds in [0, 1), falls on."""
    return min(round(start * rounds), max(rounds - 1, 0))


@dataclass(frozen=True, kw_only=True)
class EStep:
    """Settings of the E-step.

    Attributes:
      first_round: round of the first E-step; the rounds before it train on the
        incomplete rows alone (warm start by the baseline). None: there is no E-step.
      first: the sampler of the first one, fresh draws.
      first_rows: share of the rows that the first one draws, in (0, 1]. A row that was
        never drawn stays as observed; a later E-step draws all of its missing cells.
      fraction: share of each row's missing positions that a later E-step re-masks and
        draws again, in (0, 1]. 1 is a fresh draw; below 1 the chains stay warm.
      rows: share of the rows that a later E-step refreshes, in (0, 1].
      sampler: reveals and corrector sweeps of a later E-step.
      use_ema: draw with the averaged parameters.
      temperature: of the draws of the first E-step, above 0. A model that has never
        been trained on dense contexts is too unsure in them, and completions drawn as
        it says are noise that the M-step learns to distrust; below 1 they are coherent,
        while the observed targets keep the predictions calibrated.
      final_temperature: of the last draws; 1 are the model's own.
      warming_rounds: rounds after the first E-step that it takes to get there, in
        equal steps; None: the temperature stays as it is.
    """

    first_round: int | None = 1
    first: Sampler = Sampler(num_reveals=16)
    fraction: float = 0.3
    rows: float = 1.0
    first_rows: float = 1.0
    sampler: Sampler = Sampler(num_reveals=4)
    use_ema: bool = True
    temperature: float = 1.0
    final_temperature: float = 1.0
    warming_rounds: int | None = None

    def __post_init__(self):
        for name in ("temperature", "final_temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.warming_rounds is not None and self.warming_rounds < 1:
            raise ValueError("warming_rounds must be at least 1, or None")
        shares = (self.fraction, self.rows, self.first_rows)
        if not all(0 < share <= 1 for share in shares):
            raise ValueError("fraction, rows and first_rows must lie in (0, 1]")
        if self.first_round is not None and self.first_round < 0:
            raise ValueError(f"first_round must not be below 0, got {self.first_round}")

    @classmethod
    def over(cls, rounds: int, start: float | None, **settings) -> "EStep":
        """E-steps of a run of `rounds` rounds, the last at the final temperature.

        Args:
          start: share of the run before the first one, in [0, 1); None: there is none.
        """
        first = None if start is None else round_at(start, rounds)
        warming = max(1, rounds - 1 - (first or 0))
        return cls(first_round=first, warming_rounds=warming, **settings)

    def runs_in(self, round_: int) -> bool:
        """Whether the round starts with an E-step."""
        return self.first_round is not None and round_ >= self.first_round

    def temperature_in(self, round_: int) -> float:
        """Temperature of the draws of an E-step."""
        if self.warming_rounds is None:
            return self.temperature
        share = min(1.0, (round_ - (self.first_round or 0)) / self.warming_rounds)
        return self.temperature + (self.final_temperature - self.temperature) * share


class Completer:
    """RowFunctions E-steps over a completion buffer on the host."""

    def __init__(
        self,
        denoiser: Denoiser,
        data: IncompleteData,
        settings: EStep,
        mesh: Mesh,
        batch_size: int,
        seed: int,
    ):
        self.data = data
        self.settings = settings
        self.seed = seed

        def drawn(sampler: Sampler) -> RowMap:
            """`(params, temperature, fraction), keys, tokens, completion -> x`."""

            def run(given, row_keys, tokens, completion, context=None):
                params, temperature, fraction = given
                denoise = bind(denoiser, params, context)
                x = sampling.refresh(
                    sampling.tempered(denoise, temperature),
                    completion.astype(jnp.int32), tokens == denoiser.num_values,
                    row_keys, fraction, sampler,
                )  # fmt: skip
                return x.astype(tokens.dtype)

            return RowMap(run, mesh, batch_size)

        self._drawn = {s: drawn(s) for s in {settings.first, settings.sampler}}

    def chosen_rows(self, round_: int) -> np.ndarray:
        """Sorted numbers of the rows that this round's E-step draws."""
        n, settings = len(self.data), self.settings
        first = round_ == settings.first_round
        share = settings.first_rows if first else settings.rows
        if share == 1:
            return np.arange(n)
        rng = keys.host_rng(self.seed, keys.Purpose.E_STEP_ROWS, round_)
        count = max(1, round(share * n))
        return np.sort(rng.choice(n, count, replace=False))

    def run(
        self, params: Params, completions: np.ndarray, round_: int, start: int = 0
    ) -> Iterator[int]:
        """Refreshes `completions` [N, L] in place; yields how many rows are done.

        A row depends on its own completion and key alone, so that an interrupted E-step
        goes on from the last number yielded and ends bitwise the same. Observed tokens
        are never changed.
        """
        key = keys.derive(self.seed, keys.Purpose.E_STEP, round_)
        chosen = self.chosen_rows(round_)
        context = None if self.data.context is None else self.data.context[chosen]
        settings, temperature = self.settings, self.settings.temperature_in(round_)
        first = round_ == settings.first_round
        fraction = 1.0 if first else settings.fraction
        batches = self._drawn[settings.first if first else settings.sampler].batches(
            (params, np.float32(temperature), np.float32(fraction)), key,
            self.data.tokens[chosen], completions[chosen],
            ids=chosen, start=start, context=context,
        )  # fmt: skip
        for where, drawn in batches:
            completions[chosen[where]] = drawn
            yield where.stop
