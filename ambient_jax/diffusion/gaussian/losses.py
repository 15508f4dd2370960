"""Losses of a Gaussian denoiser: on clean, on noisy and on incomplete rows.

Each is a weighted squared error whose minimum over all functions is a conditional
expectation; what differs is what is predicted and what is given.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ambient_jax.family import Batch
from ambient_jax.types import Sigmas, Values


class Cells(NamedTuple):
    """The cells of a batch.

    Attributes:
      x: observed values, completions elsewhere, and 0 where a cell is unknown.
      known: where `x` is a value.
      observed: where it is one of the data.
    """

    x: Values
    known: Bool[Array, "B L"]
    observed: Bool[Array, "B L"]


def cells_of(batch: Batch) -> Cells:
    """Returns the cells of a batch, in which NaN marks what is unknown.

    Rows that `excluded_rows` names have no known cell.
    """
    rows, completion = (
        jnp.asarray(x, jnp.float32) for x in (batch.rows, batch.completion)
    )
    observed = ~jnp.isnan(rows)
    x = jnp.where(observed, rows, completion)
    known = ~jnp.isnan(x)
    if batch.excluded_rows is not None:
        known &= ~jnp.asarray(batch.excluded_rows, bool).reshape(-1, 1)
    return Cells(jnp.where(known, x, 0.0), known, observed & known)


def squared_error(
    estimate: Values,
    target: Values,
    level_weight: Float[Array, "B K"],
    cell_weight: Float[Array, "B L"],
) -> Float[Array, ""]:
    """Weighted mean squared error over cells.

        sum_bi level_weight_bi w_bi (estimate_bi - target_bi)^2 / sum_bi w_bi

    With `level_weight = Preconditioning.loss_weight` it is the loss of EDM (Karras et
    al. 2022, arXiv 2206.00364, eq. 2), which `E[target | input]` minimises.

    Args:
      estimate, target: rows.
      level_weight: of the noise level, `[B, 1]` or `[B, L]`.
      cell_weight: w >= 0 of each cell.

    Returns:
      A scalar; 0 with zero gradient where all cell weights are 0.
    """
    total = jnp.sum(level_weight * cell_weight * (estimate - target) ** 2)
    return total / jnp.maximum(jnp.sum(cell_weight), 1.0)


def renoised(
    y: Values, sigma: Sigmas, noise: Values, sigma_data_noise: float
) -> Values:
    """Adds noise to rows that have noise already, up to the level `sigma`.

    `x_t = y + sqrt(sigma^2 - sigma_n^2) eps`, so that `x_t = x_0 + sigma eps'`.

    Args:
      y: rows `x_0 + sigma_n n`.
      sigma: levels, at least `sigma_n`.
      noise: standard normal numbers.
      sigma_data_noise: sigma_n, at least 0.
    """
    added = jnp.sqrt(jnp.maximum(sigma**2 - sigma_data_noise**2, 0.0))
    return y + added * noise


def tweedie_estimate(
    estimate: Values, x: Values, sigma: Sigmas, sigma_data_noise: float
) -> Values:
    """Returns `E[x_n | x_t] = (1 - r) h(x_t) + r x_t` with `r = sigma_n^2 / sigma^2`.

    It turns the estimate of the clean row into one of the noisy row `y = x_n`, which is
    a target that noisy data do give. `h` minimises the squared error of this to y
    exactly where it is `E[x_0 | x_t]`.

    Args:
      estimate: `h(x, sigma)`.
      x: rows at the level `sigma`.
      sigma: levels above `sigma_n`.
      sigma_data_noise: sigma_n, at least 0.

    References:
      Daras et al. 2024 (arXiv 2404.10177).
    """
    r = sigma_data_noise**2 / sigma**2
    return (1.0 - r) * estimate + r * x
