"""The energy distance of two samples of continuous rows."""

import numpy as np
from scipy.spatial.distance import cdist

from ambient_jax.evaluation.estimate import Figures


def energy_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Returns `2 E|X - Y| - E|X - X'| - E|Y - Y'|` of rows `[N, L]` and `[M, L]`.

    It is 0 for samples of one distribution, up to their error; the means of distances
    within a sample leave out that of a row to itself, so that it may be below 0.

    References:
      Szekely & Rizzo 2013 (J. Stat. Plan. Inference 143, 1249).
    """
    within = [cdist(x, x).sum() / max(len(x) * (len(x) - 1), 1) for x in (a, b)]
    return float(2.0 * cdist(a, b).mean() - sum(within))


def energy_figures(samples: np.ndarray, test: np.ndarray) -> Figures:
    """`energy_distance` of generated rows to as many complete test rows, `[N, L]`.

    `data_energy_distance` is that of one half of the test rows to the other half: the
    floor that the finite numbers of rows leave.
    """
    test = test[: len(samples)]
    yield "energy_distance", energy_distance(samples, test)
    half = len(test) // 2
    yield "data_energy_distance", energy_distance(test[:half], test[half:])
