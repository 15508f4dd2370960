"""TableCodec: what goes in comes back; densities integrate to one; draws look alike."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ambient_jax.tabular.calibration import conformity_scores
from ambient_jax.tabular.columns.category import CategoryColumn
from ambient_jax.tabular.columns.codec import TableCodec, padded_size
from ambient_jax.tabular.columns.density import log_density
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.prediction import Prediction
from ambient_jax.tabular.drawing import cells_of
from ambient_jax.tabular.frames.kinds import from_numbers


def mixed(n=400, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "normal": rng.normal(5, 2, n),
        "spiked": np.where(rng.random(n) < 0.6, 0.0, rng.lognormal(3, 2, n)),
        "whole": rng.poisson(40, n),
        "price": np.round(rng.gamma(2, 10, n), 2),
        "colour": rng.choice(["red", "green", "blue"], n),
        "flag": rng.random(n) < 0.3,
        "tiny": rng.normal(0, 1e-12, n),
        "huge": rng.normal(1e15, 1e14, n),
        "day": pd.Timestamp("2020-01-01")
        + pd.to_timedelta(rng.integers(0, 900, n), "D"),
    })  # fmt: skip
    holes = rng.random(frame.shape) < 0.2
    return frame.mask(holes), frame, holes


def test_observed_cells_come_back_exactly():
    """Categories from their tokens, numbers and dates from their exact values; put
    back into the column they have its dtype too."""
    frame, _, holes = mixed()
    codec = TableCodec.fit(frame)
    e = codec.encode(frame)
    for i, column in enumerate(codec.columns):
        rows = np.flatnonzero(~holes[:, i])
        cells = decoded(column, e.tokens[rows, i])
        if column.numeric:
            cells = from_numbers(e.values[rows, i], column.kind, column.unit)
        series = frame.iloc[:, i]
        back = column.filled(series.mask(~holes[:, i]), rows, cells)
        pd.testing.assert_series_equal(back, series, check_exact=True)


def decoded(column, tokens, u=0.5):
    numbers = np.zeros(len(tokens))
    if column.numeric:
        numbers = column.coder.decode(tokens.astype(int), np.full(len(tokens), u))
    return cells_of(column, tokens, numbers, 0.0)


@pytest.mark.parametrize("u", [0.0, 0.3, 0.999])
def test_a_drawn_cell_lies_in_the_bin_of_its_token(u):
    """Up to the rounding to the column's decimals, or to a step of its dates."""
    frame = mixed()[0]
    codec = TableCodec.fit(frame)
    tokens = codec.encode(frame).tokens
    for i, column in enumerate(codec.columns):
        known = tokens[tokens[:, i] < codec.num_values, i].astype(int)
        cells = decoded(column, known, u)
        if not column.numeric:
            assert (column.coder.encode(cells) == known).all()
            continue
        numbers = column.numbers(pd.Series(cells))
        step = 0.0 if column.coder.decimals is None else 10.0**-column.coder.decimals
        slack = step + 1e-12 * np.abs(numbers)
        assert (numbers >= column.coder.low[known] - slack).all()
        assert (numbers <= column.coder.high[known] + slack).all()


def test_missing_cells_are_mask_and_have_no_context():
    frame, _, holes = mixed()
    codec = TableCodec.fit(frame)
    e = codec.encode(frame)
    assert np.array_equal(e.tokens == codec.num_values, holes)
    assert not e.context.reshape(*holes.shape, 3)[holes].any()


def test_hidden_values_do_not_reach_the_codec():
    frame, whole, holes = mixed()
    other = whole.copy()
    other["normal"] += 1.0
    a, b = TableCodec.fit(frame), TableCodec.fit(other.mask(holes).assign(
        normal=frame["normal"]
    ))  # fmt: skip
    assert a.to_json() == b.to_json()


@pytest.mark.parametrize("name", ["normal", "spiked", "price", "tiny", "huge"])
def test_density_integrates_to_one(name):
    column = NumberColumn.fit(mixed()[0][name].dropna().to_numpy(), 16)
    interval = ~column.atom
    for k in np.flatnonzero(interval):
        x = np.linspace(column.low[k], column.high[k], 4001)[1:-1]
        density = np.exp(log_density(column, x, np.full(len(x), k)))
        assert np.trapezoid(density, x) == pytest.approx(1.0, abs=0.03)
    assert column.share.sum() == pytest.approx(1.0)


def test_zero_is_an_atom_and_draws_keep_it():
    values = mixed()[0]["spiked"].dropna().to_numpy()
    column = NumberColumn.fit(values, 16)
    zero = column.encode(np.zeros(1))[0]
    assert column.atom[zero]
    assert column.share[zero] == pytest.approx((values == 0).mean())
    assert column.decode(np.array([zero]), np.array([0.3]))[0] == 0.0
    positive = np.array([1e-9, 1e-3, 1e3])
    assert (column.encode(positive) != zero).all()


def test_the_few_that_are_not_zero_have_their_own_atoms_and_bins():
    rng = np.random.default_rng(0)
    rare = np.where(rng.random(20_000) < 0.1, 99_999.0, rng.lognormal(8, 1, 20_000))
    values = np.where(rng.random(20_000) < 0.9, 0.0, rare.round())
    column = NumberColumn.fit(values, 64)
    assert (values == 99_999).mean() < 1 / 64
    for value in (0.0, 99_999.0):
        k = column.encode(np.array([value]))[0]
        assert column.low[k] == column.high[k] == value
    assert 50 <= column.size <= 75
    # What is not zero is told as finely as it would be alone.
    alone = NumberColumn.fit(values[values > 0], 64)
    spread = (column.share * column.sd**2).sum() / (values > 0).mean()
    assert spread < 2 * (alone.share * alone.sd**2).sum()
    few = NumberColumn.fit(np.r_[np.zeros(4000), rng.normal(size=100)], 64)
    assert few.size < 12  # 100 values are not cut into 64 cells


def test_one_huge_value_does_not_round_the_others():
    rng = np.random.default_rng(0)
    cents = rng.random(2000).round(2)
    values = np.r_[np.zeros(400), cents, [999_999_999_999.0] * 5]
    column = NumberColumn.fit(values, 64)
    assert column.decimals == 2
    assert (np.diff(column.knots, axis=1) >= 0).all()
    assert (column.low[1:] >= column.high[:-1]).all()
    told = np.bincount(column.encode(values), minlength=column.size) / len(values)
    np.testing.assert_allclose(told, column.share, atol=1e-12)
    wide = np.r_[np.zeros(500), np.exp(6 * rng.normal(size=20_000))]
    column = NumberColumn.fit(wide, 64)
    told = np.bincount(column.encode(wide), minlength=column.size) / len(wide)
    np.testing.assert_allclose(told, column.share, atol=1e-3)


@pytest.mark.parametrize("name", ["normal", "spiked", "whole", "price"])
def test_draws_from_the_marginal_look_like_the_data(name):
    values = mixed(4000)[0][name].dropna().to_numpy(np.float64)
    column = NumberColumn.fit(values, 32)
    rng = np.random.default_rng(1)
    k = rng.choice(column.size, 20_000, p=column.share)
    drawn = column.decode(k, rng.random(20_000))
    levels = np.linspace(0.05, 0.95, 19)
    error = np.abs(np.quantile(drawn, levels) - np.quantile(values, levels))
    assert error.max() <= (1.0 if name == "whole" else 0.05 * values.std())
    assert drawn.min() >= min(values.min(), 0) - 0.1 * values.std()
    if name == "whole":
        assert np.array_equal(drawn, np.round(drawn))
    if name == "price":
        assert np.array_equal(drawn, np.round(drawn, 2))
        assert len(np.unique(drawn)) > 10 * column.size  # not bin centres


def test_quantiles_are_inverse_to_the_distribution_function():
    """Whose value F at a quantile is told by the score `|2 F - 1|` and the median."""
    column = NumberColumn.fit(mixed()[0]["normal"].dropna().to_numpy(), 16)
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(column.size), 50)
    u = rng.uniform(0.02, 0.98, 50)
    x, median = column.quantile(p, u), column.quantile(p, np.full(50, 0.5))
    score = conformity_scores(Prediction(coder=column, p=p), x)
    cdf = 0.5 + np.where(x < median, -score, score) / 2
    np.testing.assert_allclose(cdf, u, atol=1e-9)


@pytest.mark.parametrize("name", ["normal", "spiked", "price", "tiny", "huge"])
def test_quantile_and_cdf_of_a_bin_are_inverse(name):
    column = NumberColumn.fit(mixed()[0][name].dropna().to_numpy(), 16)
    rng = np.random.default_rng(0)
    k = rng.integers(0, column.size, 200)
    u = np.where(column.atom[k], 0.5, rng.uniform(0.02, 0.98, 200))
    back = column.cdf_inside(k, column.quantile_inside(k, u))
    np.testing.assert_allclose(back, u, atol=1e-9)


def test_moments_are_those_of_the_observed_values():
    values = mixed()[0]["huge"].dropna().to_numpy()
    column = NumberColumn.fit(values, 16)
    mean, sd = column.moments(column.share[None])
    assert mean[0] == pytest.approx(values.mean(), rel=1e-12)
    assert sd[0] == pytest.approx(values.std(), rel=1e-6)


def test_moments_and_median_are_those_of_the_draws():
    column = NumberColumn.fit(np.random.default_rng(0).normal(size=600), 64)
    inside = [column.quantile_inside(np.full(999, k), np.linspace(0, 1, 1001)[1:-1])
              for k in range(column.size)]  # fmt: skip
    mean, sd = np.mean(inside, axis=1), np.std(inside, axis=1)
    column = dataclasses.replace(column, mean=mean, sd=sd)  # not those of a few values
    rng = np.random.default_rng(0)
    p = np.zeros((1, column.size))
    p[0, [0, 5, -1]] = 0.3, 0.1, 0.6
    k = rng.choice(column.size, 50_000, p=p[0])
    draws = column.decode(k, rng.random(len(k)))
    mean, sd = column.moments(p)
    assert draws.mean() == pytest.approx(mean[0], abs=0.03)
    assert draws.std() == pytest.approx(sd[0], rel=0.03)
    median = column.quantile(p, np.full(1, 0.5))
    assert np.median(draws) == pytest.approx(median[0], abs=0.05)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("sign", [-1, 1])
def test_quantiles_are_ordered_and_no_rounding_crosses_zero(seed, sign):
    rng = np.random.default_rng(seed)
    column = NumberColumn.fit(sign * rng.lognormal(size=400), 64)
    p = rng.dirichlet(np.ones(column.size), 50)
    levels = np.linspace(0, 1, 200)
    quantiles = np.stack([column.quantile(p, np.full(50, u)) for u in levels])
    assert (np.diff(quantiles, axis=0) >= -1e-9).all()
    assert (sign * quantiles >= 0).all()
    k = np.repeat(np.arange(column.size), 2)
    u = np.tile([0.0, 1.0], column.size)
    assert (sign * column.decode(k, u) >= 0).all()


def test_values_outside_the_range_have_a_finite_score_and_a_token():
    column = NumberColumn.fit(np.arange(100.0) ** 1.1, 16)
    x = np.array([-1e6, -1.0, 1e6])
    k = column.encode(x)
    assert k.tolist() == [0, 0, column.size - 1]
    assert np.isfinite(log_density(column, x, k)).all()


def test_json_round_trip_is_exact():
    import json

    frame = mixed()[0]
    codec = TableCodec.fit(frame)
    back = TableCodec.from_json(json.loads(json.dumps(codec.to_json())))
    a, b = codec.encode(frame), back.encode(frame)
    assert np.array_equal(a.tokens, b.tokens)
    assert np.array_equal(a.context, b.context)


def test_shares_of_booleans_are_theirs():
    column = CategoryColumn.fit(np.array([True, False, True, True], object), 10)
    assert column.values == (False, True)
    np.testing.assert_array_equal(column.share, [0.25, 0.75])


def test_unseen_category_is_mask():
    codec = TableCodec.fit(pd.DataFrame({"c": list("aabb"), "x": [1.0, 2, 3, 4]}))
    e = codec.encode(pd.DataFrame({"c": ["a", "zebra"], "x": [1.0, 2.0]}))
    assert e.tokens[:, 0].tolist() == [0, codec.num_values]


def test_infinity_names_the_column():
    with pytest.raises(ValueError, match=r"infinity.*'speed'"):
        TableCodec.fit(pd.DataFrame({"speed": [1.0, np.inf, 2.0]}))


def test_unique_texts_are_an_identifier():
    frame = pd.DataFrame({"id": [f"u{i}" for i in range(40)], "x": np.arange(40.0)})
    with pytest.warns(UserWarning, match="'id'"):
        codec = TableCodec.fit(frame)
    assert codec.identifiers == (0,)
    assert [c.name for c in codec.columns] == ["x"]


def test_few_texts_in_many_rows_are_no_identifier():
    texts = [f"u{i}" for i in range(12)] + [None] * 988
    codec = TableCodec.fit(pd.DataFrame({"c": texts, "x": np.arange(1000.0)}))
    assert codec.identifiers == ()
    many = [f"u{i}" for i in range(120)] + [None] * 880
    with pytest.warns(UserWarning, match="'c'"):
        codec = TableCodec.fit(pd.DataFrame({"c": many}))
    assert codec.identifiers == (0,)


def test_equal_objects_are_one_category():
    """The limit that `CategoryColumn` states: 1 and True are equal in Python."""
    column = CategoryColumn.fit(np.array([1, True, "one", 1], object), 10)
    assert column.size == 2
    assert column.encode(np.array([True, 1.0, "one"], object)).tolist() == [0, 0, 1]


def test_a_range_that_begins_at_zero_stays_there():
    rng = np.random.default_rng(0)
    values = np.r_[0.0, rng.gamma(1.0, 2.0, 500)]
    column = NumberColumn.fit(values, 16)
    assert column.low[0] == 0.0
    assert NumberColumn.fit(-values, 16).high[-1] == 0.0
    lowest = column.decode(np.zeros(100, int), rng.random(100))
    assert lowest.min() >= 0


@pytest.mark.parametrize("decimals", [0, 1])
def test_rounding_stays_on_the_grid_at_the_ends(decimals):
    """The ends of the range lie between two values that the decimals can write."""
    values = np.round(np.array([2.0, 3, 5, 8, 9, 12, 14, 20, 21, 23]), 0)
    values = values / 10**decimals
    column = NumberColumn.fit(values, 4)
    far = np.array([column.low[0], column.high[-1], -1e3, 1e3])
    out = column.round(far)
    assert np.array_equal(out, np.round(out, decimals))
    assert (out >= column.limits[0]).all()
    assert (out <= column.limits[1]).all()
    u = np.array([0.0, 1 - 1e-12])
    drawn = column.decode(np.array([0, column.size - 1]), u)
    assert np.array_equal(drawn, np.round(drawn, decimals))


def test_numbers_that_are_codes_become_categories_when_told():
    frame = pd.DataFrame({"code": [1, 2, 7, 7] * 10})
    codec = TableCodec.fit(frame, categorical=[0])
    assert codec.columns[0].coder.values == (1, 2, 7)


def test_vocabularies_are_padded_to_a_few_sizes_and_old_models_are_not():
    frame = pd.DataFrame({"x": [*"abcdefghi"] * 3, "y": [*"ab", None] * 9})
    codec = TableCodec.fit(frame)
    assert [column.coder.size for column in codec.columns] == [9, 2]
    assert codec.num_values == 16
    tokens = codec.encode(frame).tokens
    assert set(tokens[:, 1]) == {0, 1, 16}
    fields = codec.to_json()
    assert TableCodec.from_json(fields).num_values == 16
    del fields["num_values"]  # as before version 7
    assert TableCodec.from_json(fields).num_values == 9
    assert [padded_size(n) for n in (2, 17, 64, 65, 256)] == [16, 32, 64, 128, 256]
