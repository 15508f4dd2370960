"""Point estimates of numbers that are codes, few, or mostly one value."""

import numpy as np
import pandas as pd
import pytest

from ambient_jax.tabular import predictive
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.columns.estimates import PRIOR_RATIOS, neighbour_ratio
from ambient_jax.tabular.columns.prediction import Prediction

rng = np.random.default_rng(0)
N = 600
CODES = rng.integers(1, 5, N)
LEVEL = np.array([0.0, 6.0, -4.0, 2.0])[CODES - 1]  # a code's value means nothing
RATING = rng.integers(1, 6, N)
STEP = rng.choice([12, 24, 60], N, p=[0.3, 0.4, 0.3])
TABLE = pd.DataFrame({
    "region": CODES, "income": LEVEL + rng.normal(size=N),
    "rent": -LEVEL + rng.normal(size=N), "rating": RATING,
    "stars": RATING + rng.normal(size=N),
    "term": np.where(rng.random(N) < 0.7, 360, rng.integers(120, 359, N)),
    "step": STEP, "loan": STEP * 100 + rng.normal(0, 1000, N),
    "flag": rng.integers(0, 2, N),
    "gain": np.where(rng.random(N) < 0.9, 0, rng.integers(1, 10**6, N)),
    "age": rng.integers(18, 90, N),
})  # fmt: skip
ESTIMATES = {
    "region": "mode", "income": "mean", "rent": "mean", "rating": "nearest",
    "stars": "mean", "term": "median", "step": "nearest", "loan": "mean",
    "flag": "mode", "gain": "median", "age": "mean",
}  # fmt: skip


def estimates(frame, **options):
    codec = TableCodec.fit(frame, **options)
    return {column.name: column.estimate for column in codec.columns}


@pytest.mark.parametrize("rows", [N, 200])
@pytest.mark.parametrize("dtype", ["Int64", "float64"])
def test_codes_spikes_and_few_values_are_told_from_quantities(rows, dtype):
    holes = np.random.default_rng(1).random(TABLE.shape) < 0.2
    frame = TABLE[:rows].mask(holes[:rows])
    whole = [c for c in TABLE if TABLE[c].dtype.kind == "i"]
    found = estimates(frame.astype(dict.fromkeys(whole, dtype)))
    assert found == ESTIMATES


def test_columns_that_are_said_to_be_numbers_have_the_mean():
    positions = [TABLE.columns.get_loc(name) for name in ("region", "term")]
    found = estimates(TABLE, numeric=positions)
    assert found == ESTIMATES | {"region": "mean", "term": "mean"}


def test_dates_have_the_mean():
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(TABLE["region"], "D")
    assert estimates(TABLE.assign(region=days))["region"] == "mean"


def test_few_amounts_in_a_small_table_are_no_codes():
    gains = np.zeros(200)
    gains[:15] = np.random.default_rng(2).integers(1, 9999, 15)
    assert estimates(pd.DataFrame({"gain": gains, "x": range(200)}))["gain"] == "median"


def test_the_ratio_of_neighbours():
    """Evenly spaced means have the ratio 3 / (K (K + 1) / 2); permuted ones more."""
    for size in (3, 5, 8):
        tokens = np.repeat(np.arange(size), 400)
        noise = 0.1 * np.random.default_rng(3).normal(size=len(tokens))
        share = np.full(size, 1 / size)
        ratio = neighbour_ratio(tokens, share, (tokens + noise)[:, None])
        assert ratio == pytest.approx(6 / (size * (size + 1)), rel=0.02)
        order = np.array([0, 2, 1, 4, 3, 6, 7, 5])[:size].argsort()
        other = neighbour_ratio(tokens, share, (order[tokens] + noise)[:, None])
        assert other > ratio * 1.5


def test_where_nothing_is_told_the_shares_decide():
    tokens = np.repeat(np.arange(4), [100, 300, 150, 50])
    noise = np.random.default_rng(4).normal(size=(600, 1))
    for counts, peak in (([100, 300, 150, 50], True), ([300, 50, 200, 50], False)):
        tokens = np.repeat(np.arange(4), counts)
        share = np.array(counts) / 600
        none = neighbour_ratio(tokens, share, np.zeros((600, 0)))
        assert none == PRIOR_RATIOS[peak]
        found = neighbour_ratio(tokens, share, noise)
        assert abs(found - PRIOR_RATIOS[peak]) < 0.3


def estimate(name, p, statistic="auto", **options):
    column = {c.name: c for c in TableCodec.fit(TABLE, **options).columns}[name]
    padded = np.array([[*p, *[0.0] * (column.coder.size - len(p))]])
    cell = Prediction(coder=column.coder, p=padded)
    return predictive.point_estimates(column, cell, statistic, 0.0, True)[0]


def test_point_estimates_are_values_that_occur():
    assert estimate("region", [0.4, 0.1, 0.1, 0.4]) in (1, 4)
    assert estimate("region", [0.3, 0.1, 0.2, 0.4]) == 4
    assert estimate("region", [0.4, 0.1, 0.1, 0.4], "mean") == 2  # 2.5, to even
    assert estimate("region", [0.4, 0.1, 0.1, 0.4], numeric=[0]) == 2
    assert estimate("step", [0.5, 0.0, 0.5]) == 24  # the mean is 36
    assert estimate("step", [0.5, 0.0, 0.5], "mean") == 36
    codec = TableCodec.fit(TABLE)
    term = next(c for c in codec.columns if c.name == "term").coder
    p = np.full(term.size, 0.3 / (term.size - 1))
    p[-1] = 0.7
    assert term.low[-1] == term.high[-1] == 360
    assert estimate("term", p) == 360
    assert estimate("term", p, "mean") < 352


def test_estimates_are_saved():
    codec = TableCodec.fit(TABLE)
    again = TableCodec.from_json(codec.to_json())
    assert [c.estimate for c in again.columns] == list(ESTIMATES.values())
    old = codec.to_json()
    for column in old["columns"]:
        del column["estimate"]  # as up to version 6
    assert {c.estimate for c in TableCodec.from_json(old).columns} == {"mean"}
