"""Rubin's rules against numbers worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from ambient_jax import pool


def test_three_results_by_hand():
    """Mean 2, within 0.25, between 1: total 0.25 + 4/3, df 2 (1 + W / (4/3 B))^2."""
    found = pool([(1.0, 0.5), (2.0, 0.5), (3.0, 0.5)])
    total = 0.25 + 4 / 3
    assert found.estimate == pytest.approx(2.0)
    assert found.se == pytest.approx(np.sqrt(total))
    df = 2 * (1 + 0.25 / (4 / 3)) ** 2
    assert found.df == pytest.approx(df)
    half_width = stats.t.ppf(0.975, df) * np.sqrt(total)
    assert found.low == pytest.approx(2 - half_width)
    assert found.high == pytest.approx(2 + half_width)


def test_equal_results_lose_nothing():
    found = pool([([1.0, 2.0], [0.1, 0.2])] * 5)
    np.testing.assert_allclose(found.se, [0.1, 0.2])
    np.testing.assert_allclose(found.missing_information, 0.0)
    assert np.isinf(found.df).all()


def test_small_samples_have_fewer_degrees_of_freedom():
    results = [(1.0, 0.5), (1.2, 0.5), (0.9, 0.5)]
    assert pool(results, df_complete=20).df < 20
    assert pool(results).df > 20


def test_statsmodels_results_are_understood():
    fits = [SimpleNamespace(params=np.ones(2) * k, bse=np.ones(2)) for k in range(3)]
    np.testing.assert_allclose(pool(fits).estimate, [1.0, 1.0])


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([(1.0, 0.1)], "at least two"),
        ([(1.0, -0.1), (1.0, 0.1)], "negative"),
        ([([1.0], [0.1, 0.2])] * 2, "shape"),
    ],
)
def test_bad_results_are_refused(results, message):
    with pytest.raises(ValueError, match=message):
        pool(results)


def test_intervals_cover_what_they_say():
    """Proper imputation of a normal mean with half of the cells missing, 95 %."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        seen = rng.normal(size=40)
        results = []
        for _ in range(10):
            sd = np.sqrt(39 * seen.var(ddof=1) / rng.chisquare(39))
            mean = seen.mean() + rng.normal() * sd / np.sqrt(40)
            whole = np.r_[seen, mean + sd * rng.normal(size=40)]
            results.append((whole.mean(), whole.std(ddof=1) / np.sqrt(80)))
        found = pool(results, df_complete=79)
        hits += bool(found.low <= 0 <= found.high)
    assert 0.92 <= hits / 400 <= 0.98
