"""Columns whose kind or dtype differs between `fit` and `transform`."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.frames.kinds import kind_of
from ambient_jax.tabular.interface.inputs import as_frame
from ambient_jax.tabular.interface.outputs import to_input_type
from tests.tabular.test_dtypes import DAYS
from tests.tabular.test_imputer import assert_completed, quick


def test_the_same_instants_in_another_zone_are_read_and_filled_alike():
    rng = np.random.default_rng(0)
    hours = pd.Timestamp("2024-06-01") + pd.to_timedelta(rng.integers(0, 999, 60), "h")
    x = pd.DataFrame({"at": hours.tz_localize("Europe/Berlin"), "z": np.arange(60.0)})
    x.loc[::4, "at"] = pd.NaT
    imputer = quick().fit(x)
    utc = x.assign(at=x["at"].dt.tz_convert("UTC"))
    full = imputer.transform(utc)
    assert_completed(full, utc)
    assert (full["at"] == imputer.transform(x)["at"]).all()
    with pytest.raises(ValueError, match="'at' held dates in fit"):
        imputer.transform(x.assign(at=x["at"].dt.tz_localize(None)))


def test_a_column_without_a_date_in_new_rows_gets_dates():
    """pandas stores a column without any observed value as floats or objects."""
    zoned = DAYS.tz_localize("Europe/Berlin").repeat(5)
    days = DAYS.repeat(5)
    x = pd.DataFrame({
        "day": days, "zoned": zoned, "wait": days - DAYS[0], "z": np.arange(40.0),
    })  # fmt: skip
    imputer = quick().fit(x)
    for nothing in (np.nan, None):
        new = pd.DataFrame({name: [nothing] for name in x}).assign(z=1.0)
        full = imputer.transform(new)
        assert str(full["zoned"].dtype.tz) == "Europe/Berlin"
        assert full["day"].dtype.kind == "M"
        assert full["wait"].dtype.kind == "m"
        assert x["day"].min() <= full["day"][0] <= x["day"].max()


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("day", [2011, 2012]), ("day", ["2024-01-01", None]), ("z", list(DAYS[:2])),
        ("z", ["1", "b"]), ("kind", list(DAYS[:1].tz_localize("UTC").repeat(2))),
        ("z", [True, None]), ("kind", [True, None]),
    ],
)  # fmt: skip
def test_another_kind_at_transform_is_refused_by_name(kinds, name, cells):
    x, imputer = kinds
    new = x.iloc[:4].astype({"day": x["day"].dtype})
    column = pd.Series([*cells, None, None])
    if cells[0] is True:
        column = column.astype("boolean")
    with pytest.raises(ValueError, match=f"column '{name}'"):
        imputer.transform(new.assign(**{name: column}))


@pytest.fixture(scope="module")
def kinds():
    x = pd.DataFrame(
        {"day": DAYS.repeat(5), "z": np.arange(40.0), "kind": ["u", "v"] * 20}
    )
    x.loc[1::4, ["z", "kind"]] = None
    return x, quick().fit(x)


def test_dates_and_numbers_that_are_codes_keep_their_type():
    x = pd.DataFrame({
        "zoned": DAYS.tz_localize("Europe/Berlin").repeat(5),
        "code": np.repeat([1.0, 9.0], 20).astype(np.float32),
    })  # fmt: skip
    x.loc[::4, "zoned"], x.loc[1::4, "code"] = pd.NaT, np.nan
    imputer = quick(categorical_features=["zoned", "code"]).fit(x)
    full = imputer.transform(x)
    assert_completed(full, x)
    assert set(full["zoned"]) <= set(x["zoned"].dropna())
    assert (imputer.sample(5).dtypes == x.dtypes).all()


def test_text_that_is_a_number_is_read_where_fit_saw_numbers(kinds):
    x, imputer = kinds
    new = x.iloc[1:5].astype({"z": object})
    new["z"] = pd.Series(["1", "2", None, None], new.index)
    numbers = new.assign(z=pd.to_numeric(new["z"]))
    found, expected = imputer.transform(new)["z"], imputer.transform(numbers)["z"]
    assert found[:2].tolist() == ["1", "2"]
    np.testing.assert_array_equal(found.astype(float), expected)


TEXTS = {
    "decimals": (["0.78", "1.5", None], "7.25"),
    "mixed": ([1.5, "2.5", None], 7.25),
    "signs and blanks": ([" -3 ", "+4.", "1e5", None], "7.25"),
    "whole": (["3", "14", None], "7"),
}


@pytest.mark.parametrize("dtype", ["object", "str", "string[python]"])
@pytest.mark.parametrize("name", TEXTS)
def test_numbers_that_are_written_as_text_are_numbers(name, dtype):
    cells, filled = TEXTS[name]
    if name == "mixed" and dtype != "object":
        pytest.skip("a column of text holds no number")
    series = pd.Series(cells, dtype=dtype, name="own")
    with pytest.warns(UserWarning, match=r"'own' holds numbers that are.*as text"):
        codec = TableCodec.fit(series.to_frame())
    (column,) = codec.columns
    expected = pd.to_numeric(series).to_numpy(float)
    np.testing.assert_array_equal(column.numbers(series), expected)
    out = column.filled(series, np.array([len(cells) - 1]), np.array([7.25]))
    assert out.dtype == series.dtype
    assert out.tolist() == [*cells[:-1], filled]
    codes = TableCodec.fit(series.to_frame(), categorical=[0])
    assert not codes.columns[0].numeric


@pytest.mark.parametrize(
    "cells",
    [
        ["01067", "10115"], ["1.5", "many"], ["", "1"], [True, "1"], [b"1", b"2"],
        ["1,234", "5"], ["1_000", "2"], ["12345678901234567890", "1"], ["inf", "1"],
        ["2024-01-01", "2024"],
    ],
)  # fmt: skip
def test_other_text_stays_text(cells):
    assert kind_of(pd.Series(cells, dtype=object), "own") == "category"


def test_categories_beyond_the_vocabulary_are_reported():
    x = pd.DataFrame({"town": [f"t{i // 2}" for i in range(60)], "z": np.arange(60.0)})
    message = r"'town' holds 30 categories, of which only the 8 most frequent"
    with pytest.warns(UserWarning, match=message):
        TableCodec.fit(x, max_categories=8)
    TableCodec.fit(x, max_categories=30)  # a warning would be an error here


@pytest.mark.parametrize("unit", ["ns", "us"])
def test_times_of_day_are_categories_in_every_library(unit):
    times = [dt.time(9), dt.time(17, 30), None] * 4
    table = pa.table({"at": pa.array(times, pa.time64(unit))})
    kind = pd.ArrowDtype(pa.time64(unit))
    frames = {
        "arrow": table, "polars": pl.DataFrame({"at": times}),
        "pandas": pd.DataFrame({"at": pd.Series(table["at"], dtype=kind)}),
    }  # fmt: skip
    for given in frames.values():
        frame, original = as_frame(quick(), given, reset=True)
        (column,) = TableCodec.fit(frame).columns
        assert column.coder.values == (dt.time(9), dt.time(17, 30))
        holes = np.flatnonzero(frame["at"].isna())
        cells = column.coder.decode(np.zeros(len(holes), int))
        full = column.filled(frame["at"], holes, cells).to_frame()
        out = to_input_type(full, original)
        assert type(out) is type(given)
        if isinstance(out, pa.Table):
            assert out.schema.types == given.schema.types
            out = out.to_pandas()
        assert list(out["at"])[2] == dt.time(9)
