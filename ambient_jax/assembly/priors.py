"""Settings of the prior that draws the first completions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ambient_jax.data.dataset import IncompleteData
from ambient_jax.errors import UserError
from ambient_jax.family import Prior
from ambient_jax.networks.decoder import Decoder
from ambient_jax.priors.independent import IndependentPrior
from ambient_jax.priors.latent import MAX_BYTES, LatentPrior, component_bytes

POINTS = 16384
"""Components of a latent prior, or fewer where memory allows fewer. On MNIST14 one
decoder had 36.97, 36.47 and 36.19 nats with 4,096, 16,384 and 65,536 of them. But a
network that learned from the draws of 65,536 was no better than from those of 16,384,
and they take six times as long."""

FEWEST_POINTS = 1024
"""Fewer components do not cover the latent space."""

SMOOTHING, LEAST_SMOOTHING = 1 / 14, 0.8
"""Smoothing of a decoder as a share of the longer side of a picture, and in pixels at
least: chosen on MNIST14 and on digits."""


@runtime_checkable
class PriorBuilder(Protocol):
    """Settings of a prior, from which `assemble` builds it."""

    def rounds(self, rounds: int) -> int:
        """Number of rounds, of a run of so many, in which the prior draws."""
        ...

    def prior_of(self, data: Any) -> Prior:
        """Returns the prior for the training rows of the family."""
        ...


@dataclass(frozen=True, kw_only=True)
class PriorSettings:
    """A prior of tokens by its name, and for how long it draws (`PriorBuilder`).

    Attributes:
      name: `independent` (marginal shares), `factors` (factor analysis of tokens) or
        `latent` (decoders with hidden layers).
      share: share of the run in which the prior draws the completions, in [0, 1]; the
        network draws in the rest.
      members: number of decoders of a mixture.
      steps: steps of the fit.

    Raises:
      ValueError: a value lies outside its range, or there is no prior of that name.
    """

    name: str = "latent"
    share: float = 0.75
    members: int = 4
    steps: int = 400

    def __post_init__(self) -> None:
        if self.name not in PRIORS:
            raise ValueError(f"prior {self.name!r} is unknown; use one of {[*PRIORS]}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must lie in [0, 1], got {self.share}")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")

    def rounds(self, rounds: int) -> int:
        """Number of rounds, of a run of so many, in which the prior draws."""
        return round(self.share * rounds)

    def prior_of(self, data: IncompleteData) -> Prior:
        """Returns the prior for rows of tokens; see `build`."""
        return self.build(data.shape, data.num_values)

    def build(self, shape: tuple[int, ...], num_values: int) -> Prior:
        """Returns the prior for rows of `shape` with `num_values` values.

        Raises:
          ValueError: a value lies outside its range.
          UserError: the rows are so long that its components do not fit the memory.
        """
        return PRIORS[self.name](self, shape, num_values)


def _independent(settings: PriorSettings, shape, num_values: int) -> Prior:
    return IndependentPrior(num_values=num_values)


def _factors(settings: PriorSettings, shape, num_values: int) -> Prior:
    return _latent(settings, shape, num_values, hidden=())


def _latent(
    settings: PriorSettings, shape, num_values: int, hidden=Decoder.hidden
) -> Prior:
    decoder = Decoder(
        shape=tuple(shape), num_values=num_values, hidden=hidden,
        smoothing=max(LEAST_SMOOTHING, SMOOTHING * max(shape)),
    )  # fmt: skip
    fits = MAX_BYTES // component_bytes(decoder)
    if fits < FEWEST_POINTS:
        raise UserError(
            f"rows of {decoder.length} cells with {num_values} values are too long for "
            f"a prior in {MAX_BYTES >> 20} MiB of memory; train without one"
        )
    return LatentPrior(
        decoder=decoder, members=settings.members, num_steps=settings.steps,
        points=min(POINTS, fits),
    )  # fmt: skip


PRIORS: dict[str, Callable[..., Prior]] = {
    "independent": _independent, "factors": _factors, "latent": _latent,
}  # fmt: skip
