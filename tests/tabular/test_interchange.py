"""The output for a frame of polars or PyArrow is a frame of the same library."""

import datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from tests.tabular.test_imputer import quick

N = 40


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 9, N)
    words = rng.choice(["a", "b"], N).tolist()
    start = datetime.datetime(2021, 3, 1)
    columns = {
        "x": pl.Series(rng.normal(size=N)),
        "n": pl.Series(numbers, dtype=pl.Int32),
        "big": pl.Series(2**60 + numbers),
        "f": pl.Series(numbers > 4),
        "s": pl.Series(words),
        "c": pl.Series(words, dtype=pl.Categorical),
        "e": pl.Series(words, dtype=pl.Enum(["a", "b", "unused"])),
        "d": pl.Series([start.date() + datetime.timedelta(int(i)) for i in numbers]),
        "t": pl.Series([start + datetime.timedelta(hours=int(i)) for i in numbers]),
        "w": pl.Series([datetime.timedelta(hours=int(i)) for i in numbers]),
        "p": pl.Series([Decimal(int(i)) / 4 for i in numbers], dtype=pl.Decimal(9, 2)),
    }
    holes = [pl.Series(rng.random(N) < 0.2) for _ in columns]
    return pl.DataFrame({
        name: pl.select(pl.when(~hole).then(cells)).to_series()
        for (name, cells), hole in zip(columns.items(), holes, strict=True)
    })  # fmt: skip


@pytest.fixture(scope="module")
def fitted(frame):
    return quick(add_indicator=True).fit(frame)


def test_polars_comes_back_complete_with_its_types(frame, fitted):
    for out in (
        fitted.transform(frame),
        fitted.sample_imputations(frame, num_draws=1)[0],
    ):
        assert isinstance(out, pl.DataFrame)
        assert out.columns == list(fitted.get_feature_names_out())
        assert out.select(frame.columns).schema == frame.schema
        assert sum(out.null_count().row(0)) == 0
        for name in frame.columns:
            seen = frame[name].is_not_null()
            assert out[name].filter(seen).equals(frame[name].filter(seen)), name
            assert out[f"missingindicator_{name}"].equals(~seen, check_names=False)


def test_pandas_of_the_same_cells_is_filled_alike(frame, fitted):
    ours = fitted.transform(frame)["x"].to_numpy()
    other = fitted.transform(frame.to_pandas().astype({"n": "Int32"}))["x"].to_numpy()
    np.testing.assert_array_equal(ours, other)


def test_an_arrow_table_comes_back_as_one(frame, fitted):
    out = fitted.transform(frame.to_arrow())
    assert isinstance(out, pa.Table)
    assert out.select(["x"]).schema == frame.select("x").to_arrow().schema
    assert out["x"].null_count == 0


def test_nothing_observed_in_a_polars_column():
    frame = pl.DataFrame({"x": [1.0, None] * 9, "v": pl.Series([None] * 18)})
    with pytest.warns(UserWarning, match=r"without any observed value.*'v'"):
        out = quick().fit(frame).transform(frame)
    assert out.schema == frame.schema
    assert out["v"].null_count() == 18


def test_a_lazy_frame_is_refused(frame):
    with pytest.raises(TypeError, match="collect it"):
        quick().fit(frame.lazy())
