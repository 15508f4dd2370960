"""The density of a number inside the bin of its token."""

import numpy as np

from ambient_jax.tabular.columns.binning import PIECES
from ambient_jax.tabular.columns.number import NumberColumn

MIN_PROBABILITY = 1e-300
"""Probabilities are raised to this before their logarithm is taken."""

MAX_TAIL_DISTANCE = 1e100
"""Distance from the nearest bin, in scales of the column, beyond which the density of a
value falls no further, so that the scores of rows are finite."""


@np.errstate(over="ignore")  # quotients are clipped
def log_density(coder: NumberColumn, values: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Log densities `log p(value | token)` `[n]` in nats; 0 for an atom.

    The unit of a density is one over the column's. A value outside its bin gets the
    probability `1 / (n + 2)` that n observations leave to unseen values, spread by
    an exponential tail of the column's scale.

    Args:
      coder: of the column.
      values: `[n]` finite values.
      k: `[n]` their tokens.
    """
    u = coder.cdf_inside(k, values)
    i = np.minimum((u * PIECES).astype(int), PIECES - 1)
    width = (coder.knots[k, i + 1] - coder.knots[k, i]) * PIECES
    inside = np.where(coder.atom[k], 0.0, -np.log(np.where(width > 0, width, 1.0)))
    distance = coder.distance(coder.scaled(values), k)
    tail = np.minimum(distance / coder.scale, MAX_TAIL_DISTANCE)
    unseen = -np.log(coder.count + 2.0) - np.log(coder.scale) - tail
    unit = np.where(coder.atom[k] & (distance == 0), 0.0, coder.exponent * np.log(2))
    return np.where(distance > 0, unseen, inside) - unit
