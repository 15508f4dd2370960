"""Columns whose kind or dtype differs between `fit` and `transform`."""

import numpy as np
import pandas as pd
import pytest

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
        ("z", ["1", "2"]), ("kind", list(DAYS[:1].tz_localize("UTC").repeat(2))),
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
