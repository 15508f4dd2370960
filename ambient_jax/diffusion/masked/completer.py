"""How the E-step of masked diffusion draws: warm chains, at first below 1."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import cast

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ambient_jax.diffusion.masked import sampling
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.types import Denoise, RowKeys


@dataclass(frozen=True, kw_only=True)
class MaskedCompleter:
    """Draws missing tokens by the reverse process (`family.Completer`).

    The first E-step draws all missing tokens of a row afresh. A later one masks a
    fraction of them again and redraws these: one step of a warm chain, which leaves the
    model's own joint unchanged.

    Attributes:
      initial_sampler: reveals and corrector sweeps of the first E-step.
      refresh_sampler: the same of a later one.
      fraction: share of each row's missing positions that a later E-step redraws, in
        (0, 1]. 1 is a fresh draw.
      temperature: of the draws of the first E-step, above 0. A model that has never
        been trained on dense contexts is too unsure in them, and completions drawn at 1
        are noise that the M-step learns to distrust; below 1 they are coherent, while
        the observed targets keep the predictions calibrated.
      final_temperature: of the last draws; 1 are the model's own.
      warming_rounds: rounds from the first E-step to the final temperature, in equal
        steps; None: the temperature stays as it is.

    Raises:
      ValueError: a value lies outside its range.
    """

    initial_sampler: Sampler
    refresh_sampler: Sampler
    fraction: float
    temperature: float = 1.0
    final_temperature: float = 1.0
    warming_rounds: int | None = None

    def __post_init__(self) -> None:
        for name in ("temperature", "final_temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.warming_rounds is not None and self.warming_rounds < 1:
            raise ValueError("warming_rounds must be at least 1, or None")
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction must lie in (0, 1], got {self.fraction}")

    def temperature_after(self, rounds_since_start: int) -> float:
        """Temperature of the draws so many rounds after the first E-step."""
        if self.warming_rounds is None:
            return self.temperature
        share = min(1.0, rounds_since_start / self.warming_rounds)
        return self.temperature + (self.final_temperature - self.temperature) * share

    def program(self, initial: bool) -> Hashable:
        """The sampler of the first, or of a later E-step."""
        return self.initial_sampler if initial else self.refresh_sampler

    def schedule(self, rounds_since_start: int) -> tuple[np.float32, ...]:
        """Temperature, and the fraction of the missing tokens that is redrawn."""
        fraction = 1.0 if rounds_since_start == 0 else self.fraction
        temperature = self.temperature_after(rounds_since_start)
        return np.float32(temperature), np.float32(fraction)

    def draw(
        self,
        program: Hashable,
        schedule: tuple[Array, ...],
        denoise: Denoise,
        rows: Array,
        completion: Array,
        keys: RowKeys,
    ) -> Array:
        """Returns completions `[B, L]`; see `family.Completer` and `sampling.refresh`.

        Args:
          program: a `Sampler`.
          schedule: temperature and fraction, float32 scalars.
          rows, completion: `[B, L]` tokens; MASK in `rows` marks what is missing.
        """
        temperature, fraction = schedule
        completion = completion.astype(jnp.int32)
        missing = rows == sampling.denoise_mask(denoise, completion)
        drawn = sampling.refresh(
            sampling.tempered(denoise, temperature), completion, missing, keys,
            fraction, cast(Sampler, program),
        )  # fmt: skip
        return drawn.astype(rows.dtype)

    def describe(self, rounds_since_start: int) -> str:
        """The temperature of the draws."""
        return f"temperature {self.temperature_after(rounds_since_start):.2g}"
