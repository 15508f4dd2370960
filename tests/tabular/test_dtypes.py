"""Columns of every dtype are completed, sampled and saved with their dtype."""

import datetime as dt
import json
import zoneinfo
from decimal import Decimal

import dateutil.tz
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ambient_jax import AmbientImputer
from ambient_jax.tabular.frames import json_cells
from ambient_jax.tabular.frames.schema import Field
from tests.tabular.test_imputer import assert_completed, quick

DAYS = pd.date_range("2024-01-01", periods=8, freq="30D")


def objects(*cells):
    column = np.empty(len(cells), object)
    column[:] = cells
    return pd.Series(column)


def arrow(kind, *cells):
    return pd.Series(pa.array(cells, kind), dtype=pd.ArrowDtype(kind))


COLUMNS = {
    "times": objects(dt.time(9), dt.time(17, 30)),
    "Arrow times": arrow(pa.time64("us"), dt.time(9), dt.time(17, 30)),
    "numbers as text": pd.Series([f"{i / 8}" for i in range(40)]),
    "whole numbers as objects of text": objects(*map(str, range(40))),
    "stamps": objects(*(d.tz_localize("Europe/Berlin") for d in DAYS[:3])),
    "bytes": objects(b"a", b"\x00\xff"),
    "tuples": objects(("a", 1), ("b", 2)),
    "intervals": pd.Series(pd.cut(np.arange(9.0), 3)),
    "levels of days": pd.Series(DAYS[:3].astype("category")),
    "Arrow text": arrow(pa.string(), "u", "v"),
    "Python text": pd.Series(["u", "v"], dtype=pd.StringDtype("python")),
    "Arrow flags": arrow(pa.bool_(), True, False),
    "Arrow money": arrow(pa.decimal128(10, 2), Decimal("1.50"), Decimal("22.25")),
    "Arrow clock": arrow(pa.timestamp("us", "Europe/Berlin"), *DAYS[:4]),
    "Arrow days": arrow(pa.date32(), *DAYS.date),
    "Arrow waits": arrow(pa.duration("us"), *(dt.timedelta(i) for i in range(9))),
    "Arrow numbers": arrow(pa.int16(), *range(40)),
    "money": objects(*(Decimal(f"{i}.25") for i in range(40))),
    "whole objects": objects(*range(40)),
    "days": objects(*DAYS.date),
    "moments": objects(*(d.to_pydatetime() for d in DAYS)),
    "short": pd.Series(np.arange(40), dtype="float32") / 10,
    "half": pd.Series(np.arange(40), dtype="float16") / 10,
    "nullable": pd.Series(np.arange(40) / 100, dtype="Float32"),
}


def with_holes(own, seed, rows=60):
    at = np.random.default_rng(seed).integers(0, len(own), rows)
    column = own.iloc[at].reset_index(drop=True)
    column[(column.index + seed) % 4 == 0] = None
    return column


@pytest.fixture(scope="module")
def frame():
    """All columns; one fit serves every test."""
    x = pd.DataFrame(
        {
            name: with_holes(own, seed)
            for seed, (name, own) in enumerate(COLUMNS.items())
        }
    )
    for name, own in COLUMNS.items():
        assert x[name].dtype == own.dtype
    return x


@pytest.fixture(scope="module")
def fitted(frame):
    with pytest.warns(UserWarning, match="written as text"):
        return quick().fit(frame)


@pytest.fixture(scope="module")
def outcomes(frame, fitted):
    """Completed, twice drawn, new."""
    draws = fitted.sample_imputations(frame, num_draws=2)
    return fitted.transform(frame), *draws, fitted.sample(30)


def test_frames_of_every_type_are_completed(frame, outcomes):
    for out in outcomes[:3]:
        assert_completed(out, frame)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_keeps_its_type_in_all_that_comes_out(name, outcomes):
    own = COLUMNS[name]
    for out in outcomes:
        assert out[name].dtype == own.dtype
        assert {type(v) for v in out[name]} == {type(v) for v in own}


def test_a_saved_model_gives_the_same_types_and_cells(
    frame, fitted, outcomes, tmp_path
):
    fitted.save(tmp_path)
    back = AmbientImputer.load(tmp_path)
    pd.testing.assert_frame_equal(back.transform(frame), outcomes[0])
    pd.testing.assert_frame_equal(back.sample(30), outcomes[-1])
    alone = back.transform(frame.iloc[:1])
    for name in frame:
        assert type(alone[name][0]) is type(outcomes[0][name][0]), name


@pytest.mark.parametrize(
    ("name", "decimals"),
    [
        ("money", 2),
        ("numbers as text", 3),
        ("Arrow money", 2),
        ("short", 1),
        ("half", 1),
        ("nullable", 2),
    ],
)
def test_imputed_numbers_have_the_decimals_of_the_column(
    name, decimals, frame, outcomes
):
    """`short` and `half` are not decimal fractions in binary, and still look so."""
    for drawn in outcomes[1:3]:
        cells = drawn[name][frame[name].isna()].to_numpy()
        decimals_of_cells = [Decimal(str(v)) for v in cells]
        assert all(v == round(v, decimals) for v in decimals_of_cells)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "US/Eastern", "Asia/Kolkata"])
def test_days_of_a_time_zone_are_imputed_at_its_midnight(zone):
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366, 80), "D")
    x = pd.DataFrame({"day": days.tz_localize(zone), "z": rng.normal(size=80)})
    x.loc[::4, "day"] = pd.NaT
    imputer = quick().fit(x)
    for frame in (imputer.transform(x), imputer.sample(40)):
        assert (frame["day"] == frame["day"].dt.normalize()).all()
        assert str(frame["day"].dt.tz) == zone


def test_hours_that_a_clock_leaves_out_or_shows_twice_are_filled():
    """In Berlin 2:30 was not on 2024-03-31, and was twice on 2024-10-27."""
    hours = ["2024-03-31 01:30", "2024-03-31 03:30", "2024-10-27 02:30"]
    cells = pd.to_datetime(hours).tz_localize(
        "Europe/Berlin", ambiguous=np.ones(3, bool)
    )
    x = pd.DataFrame({"at": np.tile(cells, 20), "z": np.arange(60.0)})
    x["at"] = x["at"].astype("datetime64[ns, Europe/Berlin]")
    x.loc[::5, "at"] = pd.NaT
    imputer = quick(delta={"at": 60.0}).fit(x)
    assert_completed(imputer.transform(x), x)


def test_text_in_a_column_of_dates_at_transform_is_named():
    x = pd.DataFrame({"day": DAYS.repeat(5), "z": np.arange(40.0)})
    imputer = quick().fit(x)
    with pytest.raises(ValueError, match=r"'day' held dates in fit"):
        imputer.transform(pd.DataFrame({"day": ["soon", None], "z": [1.0, 2.0]}))


def test_a_delta_beyond_the_years_of_a_date_names_the_column():
    x = pd.DataFrame({"day": objects(*DAYS.date, None), "z": np.arange(9.0)})
    imputer = quick(delta={"day": 1e7}).fit(x)
    with pytest.raises(ValueError, match=r"'day'.*years 1 to 9999"):
        imputer.transform(x)


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series(pd.period_range("2024-01", periods=9, freq="M")),
        pd.Series(np.arange(9) * 1j),
        arrow(pa.dictionary(pa.int8(), pa.string()), *"ababababa"),
    ],
)
def test_a_type_that_has_no_meaning_here_is_refused_by_name(cells):
    with pytest.raises(ValueError, match="column 'own'"):
        quick().fit(pd.DataFrame({"own": cells, "z": np.arange(9.0)}))


def test_names_of_any_type_are_saved(tmp_path):
    names = [("a", 1), dt.date(2024, 1, 1), 7]
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)))
    x = x.mask(x > 1)
    x.columns = pd.Index(names, tupleize_cols=False)
    imputer = quick(delta={names[0]: 2.0}, categorical_features=[7]).fit(x)
    imputer.save(tmp_path)
    back = AmbientImputer.load(tmp_path)
    pd.testing.assert_frame_equal(back.transform(x), imputer.transform(x))
    assert list(back.transform(x).columns) == names
    assert back.get_params()["delta"] == {names[0]: 2.0}


@pytest.mark.parametrize(
    "value",
    [
        "a", 3, 2**70, 0.1, True, None, b"\x00", ("a", (1, b"b")), Decimal("1.50"),
        dt.date(1, 1, 1), dt.time(1, 2, 3, 4), dt.timedelta(-1, 2, 3),
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(1, 1, 1),
        pd.Timestamp("2024-07-01", tz="Europe/Berlin"), pd.Timestamp(1, unit="ns"),
        pd.Timedelta(5, "ns"), pd.Timedelta(days=-400_000).as_unit("s"),
        pd.Period("2024-03", "M"), pd.Interval(pd.Timestamp(0), pd.Timestamp(5)),
        pd.Interval(1.5, 2, "both"),
    ],
)  # fmt: skip
def test_json_keeps_value_and_type(value):
    back = json_cells.from_json(json_cells.to_json(value))
    assert back == value
    assert type(back) is type(value)
    for name in ("tz", "unit"):
        assert getattr(back, name, 0) == getattr(value, name, 0)


@pytest.mark.parametrize(
    "dtype",
    ["int8", "Float32", "str", "category", "datetime64[ns, UTC+02:00]",
     "string[python]", "datetime64[us, Europe/Berlin]", "timedelta64[s]",
     "object", "boolean",
     pd.CategoricalDtype([3, 1], ordered=True), pd.CategoricalDtype(["b", "a"]),
     pd.CategoricalDtype(pd.interval_range(0, 3, closed="left")),
     pd.ArrowDtype(pa.list_(pa.decimal128(5, 1)))],
)  # fmt: skip
def test_json_keeps_the_type_of_a_column(dtype):
    dtype = pd.Series([], dtype=dtype).dtype
    field = Field(name="x", dtype=dtype)
    assert Field.from_json(json.loads(json.dumps(field.to_json()))) == field


def test_a_zone_that_cannot_be_read_again_is_not_saved():
    field = Field(name="x", dtype=pd.DatetimeTZDtype("us", dateutil.tz.gettz("Cuba")))
    with pytest.raises(TypeError, match=r"column 'x'.*datetime64.*cannot be saved"):
        field.to_json()


@pytest.mark.parametrize(
    "value",
    [
        frozenset("a"), dt.datetime(2024, 1, 1, tzinfo=dateutil.tz.gettz("Cuba")),
        dt.time(1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    ],
)  # fmt: skip
def test_what_json_could_not_give_back_is_refused(value):
    with pytest.raises(TypeError, match="cannot be saved"):
        json_cells.to_json(value)
