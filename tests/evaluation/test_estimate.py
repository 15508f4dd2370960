"""Standard errors against repetition, and the Frechet distance against a formula."""

import numpy as np
import pytest

from ambient_jax.evaluation import estimate
from ambient_jax.evaluation.samples import class_entropy, frechet_distance


def test_mean_and_its_error_match_repetition():
    rng = np.random.default_rng(0)
    runs = [dict(estimate.mean("x", rng.exponential(2, 400))) for _ in range(500)]
    spread = np.std([run["x"] for run in runs])
    assert abs(np.mean([run["x_se"] for run in runs]) / spread - 1) < 0.15


def test_one_row_has_no_error():
    one = np.ones(1)
    assert dict(estimate.mean("x", one)) == {"x": 1.0}
    assert dict(estimate.ratio("r", one, 2 * one)) == {"r": 0.5}


@pytest.mark.parametrize("transform", [lambda v: v, np.sqrt])
def test_ratio_error_counts_rows_not_cells(transform):
    """Cells of a row are alike here: an error over cells would be far too small."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        cells = rng.integers(1, 30, 200).astype(float)
        top = cells * (rng.random(200) < 0.7)
        found.append(
            dict(estimate.ratio("r", top, cells, lambda v: float(transform(v))))
        )
    spread = np.std([run["r"] for run in found])
    assert abs(np.mean([run["r_se"] for run in found]) / spread - 1) < 0.2
    assert abs(np.mean([run["r"] for run in found]) - transform(0.7)) < 0.01


def test_frechet_distance_of_gaussians():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200_000, 3))
    b = rng.normal(size=(200_000, 3)) * np.array([2.0, 1.0, 1.0]) + np.array([0, 3, 0])
    assert abs(frechet_distance(a, b) - (9 + 1)) < 0.15
    assert frechet_distance(a, a) < 1e-6


def test_frechet_distance_of_dead_features_is_finite():
    a = np.zeros((50, 4))
    a[:, 0] = np.random.default_rng(0).normal(size=50)
    assert np.isfinite(frechet_distance(a, a + 1.0))


def test_entropy_of_classes():
    assert class_entropy(np.arange(100) % 10, 10) == pytest.approx(np.log(10))
    assert class_entropy(np.zeros(5, int), 10) == 0
