"""Draws of missing cells given observed ones that are noised anew at every level.

No guidance is needed, but the draw is exact only in the limit of many resamplings: each
step moves the missing cells by an estimate that has seen the observed ones through
their noise.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from ambient_jax.diffusion.gaussian.completer import FreshCompleter
from ambient_jax.diffusion.gaussian.sampling import EdmSampler, row_normals
from ambient_jax.types import Estimate, RowKeys, Values


def repaint(
    estimate: Estimate, values: Values, observed: Bool[Array, "B L"], keys: RowKeys,
    sampler: EdmSampler, resamplings: int,
) -> Values:  # fmt: skip
    """Draws the cells that are not observed; one loop over levels and resamplings.

    At each level the reverse step and the noising back to the level are repeated, with
    the observed cells noised anew each time.

    Args:
      estimate: the network under fixed parameters.
      values: observed cells; others may hold anything finite.
      observed: which cells are observed.
      keys: one key per row.
      sampler: levels and method of a step.
      resamplings: times that each level is passed, at least 1.

    Returns:
      Complete rows; observed cells are `values`.

    References:
      Lugmayr et al. 2022 (arXiv 2201.09865), algorithm 1; Zhang et al. 2025 (arXiv
      2405.20690).
    """
    levels, length = sampler.levels, values.shape[1]

    def step(x, i):
        level, again = i // resamplings, i % resamplings
        sigma, lower = levels[level], levels[level + 1]
        churn, known, back = (row_normals(keys, 3 * i + k, length) for k in (1, 2, 3))
        x = sampler.step(estimate, x, sigma, lower, churn)
        x = jnp.where(observed, values + lower * known, x)
        raised = x + jnp.sqrt(sigma**2 - lower**2) * back
        return jnp.where(again + 1 < resamplings, raised, x), None

    start = jnp.where(observed, values, 0.0)
    start = start + sampler.sigma_max * row_normals(keys, 0, length)
    steps = jnp.arange(sampler.num_steps * resamplings)
    return jax.lax.scan(step, start, steps)[0]


@dataclass(frozen=True, kw_only=True)
class RepaintCompleter(FreshCompleter):
    """Completes rows by the mean of draws by `repaint` (`family.Completer`).

    With one draw a completion is a draw from the model. The mean of many has the least
    squared error, but a smaller variance than the data: what is fitted to means, and
    imputed by them, understates spread.

    Attributes:
      sampler: levels and method of a step.
      resamplings: see `repaint`.
      num_draws: draws that are averaged, at least 1.

    Raises:
      ValueError: a value lies outside its range.

    References:
      Zhang et al. 2025 (arXiv 2405.20690): 50 levels, 20 resamplings, 20 draws.
    """

    sampler: EdmSampler = EdmSampler()
    resamplings: int = 5
    num_draws: int = 1

    def __post_init__(self) -> None:
        if self.resamplings < 1 or self.num_draws < 1:
            raise ValueError(
                "resamplings and num_draws must be at least 1, got "
                f"{self.resamplings}, {self.num_draws}"
            )

    def complete(
        self, denoise: Estimate, values: Values, observed: Bool[Array, "B L"],
        keys: RowKeys,
    ) -> Values:  # fmt: skip
        """See `FreshCompleter.complete`."""

        def add(total, number):
            own = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
            return total + repaint(
                denoise, values, observed, own, self.sampler, self.resamplings
            ), None

        total = jax.lax.scan(add, jnp.zeros_like(values), jnp.arange(self.num_draws))[0]
        return total / self.num_draws

    def describe(self, rounds_since_start: int) -> str:
        """The number of steps, resamplings and draws."""
        return (
            f"{self.sampler.num_steps} levels x {self.resamplings} resamplings, mean "
            f"of {self.num_draws}"
        )
