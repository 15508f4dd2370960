"""Values of any finite size: nothing overflows, underflows or becomes NaN."""

import dataclasses
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from ambient_jax.tabular.columns.density import log_density
from ambient_jax.tabular.columns.magnitude import mixture_sd, root_mean_square
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.frames.kinds import limits_of
from tests.tabular.test_imputer import quick

LARGEST = float(np.finfo(np.float64).max)
ROWS = 120


def normal(seed, size=200):
    return np.random.default_rng(seed).normal(size=size)


def scaled(column, exponent):
    """The column whose values are 2**exponent times those of `column`."""
    in_units = ("low", "high", "knots", "mean", "sd", "grid", "centre", "scale")
    return dataclasses.replace(
        column,
        **{name: np.ldexp(getattr(column, name), exponent) for name in in_units},
    )


@pytest.mark.parametrize("exponent", [-960, 960, 1021])
def test_a_column_times_a_power_of_two_is_read_alike(exponent):
    """Moments, quantiles and tokens scale with the values; densities by their inverse.

    Subtraction and multiplication by powers of two are exact, so equality is too.
    """
    values = normal(0)
    plain = scaled(NumberColumn.fit(values, 16), 0)
    other = NumberColumn.fit(np.ldexp(values, exponent), 16)
    p = np.random.default_rng(1).dirichlet(np.ones(plain.size), 9)
    k, u = np.arange(9), np.linspace(0.01, 0.99, 9)
    at = np.ldexp(values, exponent)
    np.testing.assert_array_equal(other.encode(at), plain.encode(values))
    np.testing.assert_allclose(other.context(at), plain.context(values), rtol=1e-9)
    for ours, theirs in zip(other.moments(p), plain.moments(p), strict=True):
        np.testing.assert_allclose(ours, np.ldexp(theirs, exponent), rtol=1e-12)
    np.testing.assert_allclose(
        other.quantile(p, u), np.ldexp(plain.quantile(p, u), exponent), rtol=1e-12
    )
    np.testing.assert_array_equal(other.encode(other.decode(k, u)), k)
    tokens = plain.encode(values)
    np.testing.assert_allclose(
        log_density(other, at, tokens),
        log_density(plain, values, tokens) - exponent * np.log(2),
        rtol=1e-9,
    )


def test_one_huge_value_leaves_the_moments_of_the_others_alone():
    values = np.r_[np.round(50 + 9 * normal(0), 2), 1e160]
    column = NumberColumn.fit(values, 16)
    plain = NumberColumn.fit(values[:-1], 16)
    p = np.zeros((1, column.size))
    p[0, :5] = 0.2
    q = np.zeros((1, plain.size))
    q[0, :5] = 0.2
    np.testing.assert_allclose(column.moments(p), plain.moments(q), rtol=0.05)
    assert column.decimals == 2
    drawn = column.decode(np.arange(5), np.full(5, 0.3))
    np.testing.assert_array_equal(drawn, np.round(drawn, 2))
    assert (column.decode(np.array([column.size - 1]), np.array([0.9])) > 1e100).all()


@pytest.mark.parametrize("size", [1e-310, 1e-170, 1.0, 1e170, 1e308])
def test_a_standard_deviation_has_the_size_of_its_values(size):
    assert root_mean_square(np.array([size, -size])) == size
    p = np.array([[0.5, 0.5, 0.0]])
    distance = np.array([[-size, size, 1e308]])
    np.testing.assert_allclose(mixture_sd(p, distance, np.zeros(3)), size, rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("uint8", 0, 255), ("Int16", -(2**15), 2**15 - 1), ("float16", -65504, 65504),
        ("int64", -(2**63), 2**63 - 1024), ("float64", -LARGEST, LARGEST),
        ("longdouble", -LARGEST, LARGEST), ("object", -LARGEST, LARGEST),
    ],
)  # fmt: skip
def test_the_range_of_a_dtype_in_doubles(dtype, low, high):
    assert limits_of(pd.api.types.pandas_dtype(dtype)) == (low, high)


def test_no_bin_ends_beyond_what_the_dtype_can_hold():
    """Half a step beyond 252, the outer bound would be 258."""
    values = np.arange(0.0, 253.0, 12.0).repeat(3)
    column = NumberColumn.fit(values, 4, limits=limits_of(np.dtype(np.uint8)))
    assert column.high[-1] == 255
    assert NumberColumn.fit(values, 4).high[-1] == 258


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    wide = rng.uniform(-1, 1, ROWS)
    x = pd.DataFrame({
        "sentinel": np.round(rng.normal(50, 9, ROWS), 2),
        "largest": rng.normal(size=ROWS),
        "both": rng.normal(size=ROWS),
        "1e300": rng.normal(size=ROWS) * 1e300,
        "whole range": wide * LARGEST,
        "1e-200": rng.normal(size=ROWS) * 1e-200,
        "single": (wide * np.finfo(np.float32).max).astype(np.float32),
        "half": (wide * 65504).astype(np.float16),
        "byte": pd.array(rng.integers(0, 86, ROWS) * 3, dtype="UInt8"),
    })  # fmt: skip
    x.loc[0, "sentinel"], x.loc[0, "largest"] = 1e160, LARGEST
    x.loc[:1, "both"] = [LARGEST, -LARGEST]
    holes = rng.random(x.shape) < 0.25
    holes[:2] = False
    return x.mask(pd.DataFrame(holes, columns=x.columns))


@pytest.fixture(scope="module")
def fitted(frame):
    return quick().fit(frame)


def assert_finite(out):
    finite = np.isfinite(out.astype(float))
    assert finite.all(axis=None), list(out.columns[~finite.all()])


@pytest.mark.parametrize("statistic", ["auto", "mean", "median", "mode"])
def test_fills_are_finite(frame, fitted, statistic):
    assert_finite(fitted.set_params(statistic=statistic).transform(frame))


def test_draws_and_new_rows_are_finite(frame, fitted):
    for out in (*fitted.sample_imputations(frame, 3), fitted.sample(300)):
        assert_finite(out)
        assert (out.dtypes == frame.dtypes).all()


def test_distributions_are_finite_and_have_the_size_of_the_column(frame, fitted):
    out = fitted.predict_distribution(frame).drop(columns="probabilities")
    assert_finite(out.set_index("column").drop(columns="row"))
    sizes = out.groupby("column")["sd"].median()
    assert 1e299 < sizes["1e300"] < 1e301
    assert 1e-201 < sizes["1e-200"] < 1e-199


def test_scores_are_finite_also_of_values_far_beyond_those_of_fit(frame, fitted):
    assert np.isfinite(fitted.score_samples(frame)).all()
    new = frame.copy()
    new.loc[3, ["1e-200", "1e300"]] = LARGEST
    new.loc[4, ["1e-200", "1e300"]] = -LARGEST
    assert np.isfinite(fitted.score_samples(new)).all()
    assert_finite(fitted.transform(new))


@pytest.mark.parametrize("cell", [10**400, Decimal("1e400")])
def test_a_number_that_no_double_can_hold_is_refused_by_name(cell):
    x = pd.DataFrame(
        {"big": np.array([cell, cell, None], object), "z": [1.0, 2.0, 3.0]}
    )
    with pytest.raises(ValueError, match=r"infinity or a value too large.*'big'"):
        quick().fit(x)


@pytest.mark.parametrize("dtype", ["float64", "float16", "Float32"])
def test_a_delta_that_leaves_the_range_of_a_float_names_the_column(dtype, fitted):
    column = fitted.codec_.columns[1]
    series = pd.Series([1.0, None], dtype=dtype, name=column.name)
    with np.errstate(over="ignore"):
        shifted = np.array([LARGEST]) + LARGEST
    with pytest.raises(ValueError, match=f"'largest' of type {dtype} cannot hold"):
        column.filled(series, np.array([1]), shifted)
