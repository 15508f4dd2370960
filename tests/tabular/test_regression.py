"""Sharp relations: columns that are nearly functions of others, in every figure."""

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

from ambient_jax import AmbientImputer, Recipe
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.columns.normal import Normal
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.prediction import Prediction
from ambient_jax.tabular.linear.features import MAX_FEATURES, Features
from ambient_jax.tabular.linear.regression import Regression

NOISE = 1e-3
SHORT = Recipe(members=1, width=32, max_epochs=8, rounds=2)
"""A network that has hardly learned anything: the regression has to do the work."""


def circles(count, seed):
    """Radius, perimeter and area with noise of a thousandth, and a sum of two."""
    rng = np.random.default_rng(seed)
    radius = rng.lognormal(0, 0.6, count)
    first, second = rng.gamma(2, size=count), rng.normal(size=count)
    noise = 1 + NOISE * rng.normal(size=(2, count))
    return pd.DataFrame({
        "radius": radius, "perimeter": 2 * np.pi * radius * noise[0],
        "area": np.pi * radius**2 * noise[1], "unrelated": rng.normal(size=count),
        "first": first, "second": second,
        "total": first + second + NOISE * rng.normal(size=count),
        "kind": np.where(rng.random(count) < 0.4, "a", "b"),
    })  # fmt: skip


def hide(frame, rate, seed):
    hidden = np.random.default_rng(seed).random(frame.shape) < rate
    return frame.mask(hidden), hidden


TRAIN = hide(circles(1200, 0), 0.2, 1)[0]
TEST = circles(500, 2)
SHOWN, HIDDEN = hide(TEST, 0.2, 3)


@pytest.fixture(scope="module")
def imputer():
    return AmbientImputer(random_state=0, statistic="mean", recipe=SHORT).fit(TRAIN)


def determined(name):
    """Hidden test cells of a column that visible cells determine."""
    hidden = pd.DataFrame(HIDDEN, columns=TEST.columns)
    if name in ("first", "second", "total"):
        others = [c for c in ("first", "second", "total") if c != name]
        return (hidden[name] & ~hidden[others].any(axis=1)).to_numpy()
    others = [c for c in ("radius", "perimeter", "area") if c != name]
    return (hidden[name] & ~hidden[others].all(axis=1)).to_numpy()


def rmse(full, name):
    where = determined(name)
    error = (full[name] - TEST[name])[where] / TEST[name].std()
    return float(np.sqrt((error**2).mean()))


def test_points_are_within_three_times_the_noise(imputer):
    """The noise of the largest areas is above NOISE, in units of the column's sd."""
    full = imputer.transform(SHOWN)
    for name, unit in (("radius", 1), ("perimeter", 1), ("area", 2), ("total", 1)):
        assert rmse(full, name) < 3 * NOISE * unit * 1.5, name
    without = AmbientImputer(random_state=0, statistic="mean", recipe=SHORT)
    vars(without).update(vars(imputer))
    without.model_ = dataclasses.replace(imputer.model_, regression=None)
    assert rmse(without.transform(SHOWN), "area") > 0.05


def test_no_column_is_worse_than_by_linear_imputation(imputer):
    full = imputer.transform(SHOWN)
    numbers = TEST.columns[:-1]
    linear = IterativeImputer(random_state=0).fit(TRAIN[numbers])
    other = pd.DataFrame(linear.transform(SHOWN[numbers]), columns=numbers)
    for name in ("radius", "perimeter", "area", "total", "first", "second"):
        assert rmse(full, name) < max(1.1 * rmse(other, name), 2 * NOISE), name


def test_intervals_are_as_narrow_as_the_relation_and_cover(imputer):
    found = imputer.predict_distribution(SHOWN)
    covered = []
    for name in ("radius", "area"):
        own = found[found["column"] == name]
        own = own[determined(name)[own["row_position"].to_numpy(int)]]
        true = TEST[name].to_numpy()[own["row_position"].to_numpy(int)]
        covered.append((own["q0.05"] <= true) & (true <= own["q0.95"]))
        width = (own["q0.95"] - own["q0.05"]) / TEST[name].std()
        assert width.median() < 8 * NOISE
    assert 0.8 < np.concatenate(covered).mean() < 0.99


def test_draws_obey_the_relation_even_where_all_three_are_missing(imputer):
    hidden = HIDDEN.copy()
    hidden[:, :3] = True
    draw = imputer.sample_imputations(TEST.mask(hidden), num_draws=1)[0]
    error = np.log(draw["area"] / (np.pi * draw["radius"] ** 2)).abs()
    assert (error < 6 * NOISE).mean() > 0.9
    joint = AmbientImputer(statistic="joint")
    vars(joint).update({**vars(imputer), "statistic": "joint"})
    full = joint.transform(TEST.mask(hidden))
    error = np.log(full["area"] / (np.pi * full["radius"] ** 2)).abs()
    assert (error < 6 * NOISE).mean() > 0.9
    new = imputer.sample(200)
    assert (
        np.log(new["area"] / (np.pi * new["radius"] ** 2)).abs() < 0.01
    ).mean() > 0.9


def test_a_score_is_the_sum_of_the_conditional_densities(imputer):
    """The last column with a regression is given all others."""
    last = imputer.model_.regression.columns[-1]
    name = imputer.codec_.columns[last].name
    hidden = TEST.assign(**{name: np.nan})
    encoded = imputer.codec_.encode(hidden)
    cells = np.zeros(encoded.tokens.shape, bool)
    cells[:, last] = True
    rows = np.arange(len(TEST))
    density = np.zeros(len(TEST))
    for _, own, predicted in imputer.model_.predictions(encoded, rows, cells):
        density[own] = predicted.log_density(TEST[name].to_numpy()[own])
    difference = imputer.score_samples(TEST) - imputer.score_samples(hidden)
    np.testing.assert_allclose(difference, density, atol=2e-3)


def test_saved_and_pickled_models_predict_alike(imputer, tmp_path):
    imputer.save(tmp_path)
    loaded = AmbientImputer.load(tmp_path)
    copied = pickle.loads(pickle.dumps(imputer))
    for other in (loaded, copied):
        pd.testing.assert_frame_equal(other.transform(SHOWN), imputer.transform(SHOWN))
        np.testing.assert_array_equal(
            other.score_samples(TEST[:50]), imputer.score_samples(TEST[:50])
        )


def test_columns_without_a_relation_are_left_to_the_network(imputer):
    names = [imputer.codec_.columns[i].name for i in imputer.model_.regression.columns]
    assert {"radius", "perimeter", "area", "total"} <= set(names)
    assert "unrelated" not in names


def test_coordinates_hide_what_is_hidden():
    codec = TableCodec.fit(TRAIN)
    features = Features.of_codec(codec)
    encoded = codec.encode(TEST)
    masked = dataclasses.replace(encoded, tokens=encoded.tokens.copy())
    masked.tokens[:, 2] = codec.num_values  # the numbers are still in `values`
    x = features.of(masked)
    own = features.of_column(2)
    assert len(own) == 2  # the area and its logarithm
    assert np.isnan(x[:, own]).all()
    assert np.isfinite(np.delete(x, own, axis=1)).all()


def test_wide_or_short_tables_have_fewer_coordinates_or_none():
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.lognormal(0, 1, (300, 60)))
    codec = TableCodec.fit(wide)
    assert len(Features.of_codec(codec).features) == 60  # no logarithms
    codec = TableCodec.fit(wide.iloc[:, :10])
    features = Features.of_codec(codec)
    assert len(features.features) == 20 <= MAX_FEATURES
    assert Regression.fit(features, codec.encode(wide.iloc[:50, :10])) is None
    assert Regression.fit(features, codec.encode(wide.iloc[:200, :10])) is not None


def test_numbers_are_extrapolated_no_further_than_their_type_and_sign_allow():
    rng = np.random.default_rng(0)
    values = np.r_[rng.integers(0, 90, 400), 100].astype(float)
    coder = NumberColumn.fit(values, 16, limits=(-128.0, 127.0))
    np.testing.assert_array_equal(coder.limits, [0.0, 127.0])
    normal = Normal(
        coder=coder, location=np.array([-40.0, 120.0, 500.0]), scale=np.full(3, 0.1),
        logarithmic=False,
    )  # fmt: skip
    own = Prediction(
        coder=coder, p=np.tile(coder.share, (3, 1)), normal=normal, weight=np.ones(3)
    )
    assert coder.round(own.expectation()).tolist() == [0.0, 120.0, 127.0]
    assert own.quantile(0.5).tolist() == pytest.approx([0.0, 120.0, 127.0], abs=0.1)
