"""Masked and structured arrays: masked cells are missing, whatever lies below them."""

import numpy as np
import pandas as pd
import pytest

from ambient_jax.tabular.interface.inputs import as_frame
from ambient_jax.tabular.interface.outputs import to_input_type
from tests.tabular.test_imputer import quick

ROWS = 60
RNG = np.random.default_rng(0)
MASK = RNG.random((ROWS, 3)) < 0.2
VALUES = {
    "float64": np.where(MASK, 999.0, RNG.normal(size=MASK.shape)),
    "float32": np.where(MASK, np.inf, RNG.normal(size=MASK.shape)).astype(np.float32),
    "int64": np.where(MASK, 999, 2**60 + RNG.integers(0, 9, MASK.shape)),
    "uint8": np.where(MASK, 255, RNG.integers(0, 9, MASK.shape)).astype(np.uint8),
    "bool": np.where(MASK, True, RNG.random(MASK.shape) < 0.5),
    "text": np.where(MASK, "N/A", RNG.choice(["u", "v"], MASK.shape)),
    "objects": np.where(MASK, -1, RNG.choice(["u", "v"], MASK.shape).astype(object)),
    "dates": np.where(
        MASK, np.datetime64("1900-01-01", "D"),
        np.datetime64("2024-01-01", "D") + RNG.integers(0, 50, MASK.shape),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_frame_has_holes_where_the_mask_is_and_the_values_elsewhere(name):
    """Of every type: 999, infinity or text below the mask occur nowhere."""
    values = VALUES[name]
    frame, original = as_frame(quick(), np.ma.MaskedArray(values, MASK), reset=True)
    np.testing.assert_array_equal(frame.isna(), MASK)
    filled = pd.DataFrame(
        {i: frame[i].fillna(frame[i].dropna().iloc[0]) for i in frame}
    )
    back = to_input_type(filled, original)
    assert type(back) is np.ndarray
    assert back.dtype == (object if name == "text" else values.dtype)
    np.testing.assert_array_equal(back[~MASK], values[~MASK])
    assert set(back[MASK]).isdisjoint(values[MASK]) or name == "bool"


def test_whole_numbers_below_a_mask_are_not_read_and_are_filled():
    values = VALUES["int64"]
    masked = np.ma.MaskedArray(values, MASK)
    imputer = quick(statistic="mode").fit(masked)
    floats = np.where(MASK, np.nan, values.astype(float))
    np.testing.assert_array_equal(
        imputer.score_samples(masked), imputer.score_samples(floats)
    )
    assert len(imputer.predict_distribution(masked)) == MASK.sum()
    for out in (imputer.transform(masked), *imputer.sample_imputations(masked, 1)):
        assert type(out) is np.ndarray
        assert out.dtype == np.int64
        np.testing.assert_array_equal(out[~MASK], values[~MASK])
        assert (np.abs(out[MASK] - 2**60) < 1000).all()


def test_a_mask_without_masked_cells_changes_nothing():
    values = RNG.integers(0, 9, (ROWS, 2))
    frame, original = as_frame(quick(), np.ma.MaskedArray(values), reset=True)
    assert (frame.dtypes == np.int64).all()
    np.testing.assert_array_equal(to_input_type(frame, original), values)


def test_a_masked_column_stays_missing_as_nan():
    masked = np.ma.MaskedArray(VALUES["uint8"].copy(), MASK.copy())
    masked[:, 1] = np.ma.masked
    out = to_input_type(*as_frame(quick(), masked, reset=True))
    assert out.dtype == np.float64
    assert np.isnan(out[:, 1]).all()


@pytest.fixture(scope="module")
def records():
    """A masked structured array; 999 and "?" lie below the mask."""
    hidden = RNG.random((ROWS, 3)) < 0.2
    x = np.ma.zeros(ROWS, [("x", np.float32), ("n", np.int64), ("word", "U1")])
    x["x"], x["n"] = RNG.normal(size=ROWS), RNG.integers(0, 9, ROWS)
    x["word"] = RNG.choice(["u", "v"], ROWS)
    for name, own, below in zip(x.dtype.names, hidden.T, (999, 999, "?")):
        x.data[name][own] = below
        x.mask[name] = own
    return x


def test_structured_arrays_come_back_complete_with_their_types(records):
    imputer = quick(add_indicator=True).fit(records)
    assert list(imputer.feature_names_in_) == ["x", "n", "word"]
    for out in (imputer.transform(records), *imputer.sample_imputations(records, 1)):
        assert out.dtype.names == tuple(imputer.get_feature_names_out())
        for name in ("x", "n", "word"):
            own, hidden = records.data[name], records.mask[name]
            assert out.dtype[name] == records.dtype[name]
            np.testing.assert_array_equal(out[name][~hidden], own[~hidden])
            assert set(out[name][hidden]).isdisjoint({999, "?"})
            assert out[f"missingindicator_{name}"].tolist() == hidden.tolist()
    plain = records.data[~records.mask["n"] & ~records.mask["word"]]
    np.testing.assert_array_equal(imputer.transform(plain)["n"], plain["n"])


def test_a_field_that_is_no_column_is_refused_by_name():
    x = np.zeros(9, [("a", float), ("b", float, 2)])
    with pytest.raises(ValueError, match="field 'b' holds"):
        quick().fit(x)
