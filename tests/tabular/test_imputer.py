"""AmbientImputer: contract; the edge cases are in test_edge_cases."""

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ambient_jax import AmbientImputer, Recipe
from ambient_jax.files import write_npz
from ambient_jax.networks.ensemble import Ensemble
from ambient_jax.tabular.model import (
    MAX_CHUNK_PROBABILITIES,
    MAX_CHUNK_ROWS,
    rows_at_once,
)

QUICK = Recipe(
    width=16, depth=1, embed=4, max_epochs=2, batch_size=32, rounds=2, members=1
)


PAIR = dataclasses.replace(QUICK, members=2, em_start=1.0, consistency_weight=0.0)


def quick(recipe=QUICK, **fields):
    return AmbientImputer(random_state=0, recipe=recipe, **fields)


def mixed(n=60, seed=0, rate=0.25):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "x": rng.normal(size=n),
        "count": pd.array(rng.integers(0, 9, n), dtype="Int64"),
        "flag": pd.array(rng.random(n) < 0.4, dtype="boolean"),
        "name": pd.array(rng.choice(["a", "b", "c"], n), dtype="string"),
        "level": pd.Categorical(
            rng.choice(["lo", "hi"], n), ["lo", "hi", "unused"], ordered=True
        ),
        "text": rng.choice(["u", "v"], n).astype(object),
        "day": pd.Timestamp("2021-03-01")
        + pd.to_timedelta(rng.integers(0, 50, n), "D"),
        "zone": pd.Timestamp("2021-03-01", tz="Europe/Berlin")
        + pd.to_timedelta(rng.integers(0, 50, n), "h"),
        "wait": pd.to_timedelta(rng.integers(1, 50, n), "min"),
        "small": rng.normal(size=n).astype(np.float32),
        "full": np.arange(n),
    }, index=[f"row{i}" for i in range(n)])  # fmt: skip
    holes = rng.random(frame.shape) < rate
    holes[:, -1] = False
    return frame.mask(pd.DataFrame(holes, frame.index, frame.columns))


@pytest.fixture(scope="module")
def frame():
    return mixed()


@pytest.fixture(scope="module")
def fitted(frame):
    return quick().fit(frame)


def assert_completed(out, frame):
    assert list(out.columns) == list(frame.columns)
    assert out.index.equals(frame.index)
    assert (out.dtypes == frame.dtypes).all()
    assert not out.isna().to_numpy().any()
    for i in range(frame.shape[1]):
        seen = frame.iloc[:, i].notna().to_numpy()
        pd.testing.assert_series_equal(
            out.iloc[:, i][seen], frame.iloc[:, i][seen], check_exact=True
        )


def test_transform_keeps_columns_order_index_dtypes_and_observed_cells(frame, fitted):
    assert_completed(fitted.transform(frame), frame)


def test_transform_is_deterministic_and_row_by_row(frame, fitted):
    whole = fitted.transform(frame)
    pd.testing.assert_frame_equal(whole, fitted.transform(frame))
    one = fitted.transform(frame.iloc[[7]])
    pd.testing.assert_frame_equal(one, whole.iloc[[7]])


def test_fit_with_one_seed_is_repeatable(frame, fitted):
    again = quick().fit(frame)
    pd.testing.assert_frame_equal(again.transform(frame), fitted.transform(frame))


def test_draws_differ_and_hold_possible_values(frame, fitted):
    draws = fitted.sample_imputations(frame, num_draws=3)
    for draw in draws:
        assert_completed(draw, frame)
        assert set(draw["name"]) <= {"a", "b", "c"}
        assert set(draw["level"]) <= {"lo", "hi"}
        assert draw["count"].between(0, 8).all()
    assert not draws[0].equals(draws[1])
    again = fitted.sample_imputations(frame, num_draws=1)[0]
    pd.testing.assert_frame_equal(again, draws[0])


def test_a_regression_reaches_beyond_the_observed_range_but_not_beyond_its_limits():
    """y is about 2 x, and missing wherever it is large."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    y = 2 * x + rng.normal(0, 0.1, 300)
    hidden = y > np.quantile(y, 0.8)
    frame = pd.DataFrame({"x": x, "y": np.where(hidden, np.nan, y)})
    imputer = quick().fit(frame)
    coder = imputer.codec_.columns[1].coder
    for full in (imputer.transform(frame), *imputer.sample_imputations(frame, 2)):
        assert full["y"].between(*coder.limits).all()
    beyond = hidden & (y < coder.limits[1])
    error = np.abs(imputer.transform(frame)["y"] - y)[beyond].mean()
    assert error < 0.5 * np.abs(coder.high[-1] - y)[beyond].mean()
    whole = (frame * 30 + 100).round().clip(0, 255).astype("UInt8")
    imputer = quick().fit(whole)
    limits = imputer.codec_.columns[1].coder.limits
    assert limits[0] >= 0
    assert limits[1] <= 255
    for full in (imputer.transform(whole), *imputer.sample_imputations(whole, 2)):
        assert_completed(full, whole)
        assert full["y"].between(*limits).all()
    floats = imputer.sample_imputations(whole.astype("Float64"), 1)[0]["y"]
    assert (floats == floats.round()).all()


@pytest.mark.parametrize("statistic", ["mean", "median", "mode", "joint"])
def test_every_statistic_completes(frame, fitted, statistic):
    other = clone(fitted).set_params(statistic=statistic)
    other.__dict__.update({k: v for k, v in vars(fitted).items() if k.endswith("_")})
    assert_completed(other.transform(frame), frame)


def test_unknown_statistic_is_refused(frame):
    with pytest.raises(ValueError, match="statistic must be one of"):
        quick(statistic="best").fit(frame)


def test_distribution_has_one_line_per_hole(frame, fitted):
    told = fitted.predict_distribution(frame, quantiles=(0.1, 0.5, 0.9))
    assert len(told) == int(frame.isna().to_numpy().sum())
    numbers = told[told["column"] == "x"]
    assert (numbers["q0.1"] <= numbers["q0.5"]).all()
    assert (numbers["q0.5"] <= numbers["q0.9"]).all()
    assert (numbers["sd"] > 0).all()
    for p in told[told["column"] == "name"]["probabilities"]:
        assert sum(p.values()) == pytest.approx(1.0)
        assert set(p) == {"a", "b", "c"}
    full = fitted.predict_distribution(fitted.transform(frame))
    assert len(full) == 0


def test_samples_have_the_dtypes_of_fit(frame, fitted):
    new = fitted.sample(15)
    assert new.shape == (15, frame.shape[1])
    assert (new.dtypes == frame.dtypes).all()
    assert not new.isna().to_numpy().any()


def test_scores_are_finite_and_marginalise_holes(frame, fitted):
    scores = fitted.score_samples(frame)
    assert scores.shape == (len(frame),)
    assert np.isfinite(scores).all()


def test_a_row_without_observed_cells_scores_zero():
    """Missing cells are integrated out: nothing is left."""
    rng = np.random.default_rng(0)
    imputer = quick().fit(pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"]))
    nothing = pd.DataFrame({"a": [np.nan, 0.3], "b": [np.nan, np.nan]})
    scores = imputer.score_samples(nothing)
    assert scores[0] == 0.0
    assert scores[1] != 0.0


def test_save_and_load_give_bitwise_the_same(frame, fitted, tmp_path):
    fitted.save(tmp_path / "model")
    back = AmbientImputer.load(tmp_path / "model")
    assert {p.name for p in (tmp_path / "model").iterdir()} == {
        "model.json", "model.npz",
    }  # fmt: skip
    pd.testing.assert_frame_equal(back.transform(frame), fitted.transform(frame))
    pd.testing.assert_frame_equal(back.sample(4), fitted.sample(4))
    np.testing.assert_array_equal(
        back.score_samples(frame), fitted.score_samples(frame)
    )
    told = [m.predict_distribution(frame)["q0.05"].tolist() for m in (back, fitted)]
    assert str(told[0]) == str(told[1])


def test_load_refuses_what_is_not_a_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no saved AmbientImputer"):
        AmbientImputer.load(tmp_path / "absent")
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ValueError, match="damaged or foreign"):
        AmbientImputer.load(tmp_path)


def test_load_refuses_two_files_of_different_models(frame, fitted, tmp_path):
    """What a kill between the two files of a second `save` leaves."""
    fitted.save(tmp_path / "a")
    pair = quick(PAIR).fit(numbers := frame[["x", "small"]])
    pair.save(tmp_path / "b")
    shutil.copy(tmp_path / "b/model.npz", tmp_path / "a/model.npz")
    with pytest.raises(ValueError, match=r"damaged.*not the one"):
        AmbientImputer.load(tmp_path / "a")
    back = AmbientImputer.load(tmp_path / "b")
    assert isinstance(back.model_.denoiser, Ensemble)
    pd.testing.assert_frame_equal(back.transform(numbers), pair.transform(numbers))


def saved_by_version_2(imputer, folder):
    imputer.save(folder)
    fields = json.loads((folder / "model.json").read_text())
    assert fields["network"].pop("members") == 1
    for column in fields["codec"]["columns"]:
        del column["objects"]
    for field in fields["schema"]:
        field.pop("categories_dtype", None)
    (folder / "model.json").write_text(json.dumps(fields | {"version": 2}))


def test_a_model_saved_before_there_were_ensembles_is_one_network(frame, tmp_path):
    frame = frame.drop(columns=["zone", "name"])
    fitted = quick().fit(frame)
    saved_by_version_2(fitted, tmp_path)
    back = AmbientImputer.load(tmp_path)
    pd.testing.assert_frame_equal(back.transform(frame), fitted.transform(frame))
    pd.testing.assert_frame_equal(back.sample(5), fitted.sample(5))


def test_a_model_that_counted_local_dates_in_utc_is_not_loaded(fitted, tmp_path):
    saved_by_version_2(fitted, tmp_path)
    with pytest.raises(ValueError, match="time zone in UTC; fit it again"):
        AmbientImputer.load(tmp_path)


def rewrite(folder, arrays, **changed):
    """Replaces the arrays of a saved model, and fields of its `model.json`."""
    write_npz(folder / "model.npz", arrays)
    fields = json.loads((folder / "model.json").read_text())
    data = (folder / "model.npz").read_bytes()
    fields |= {"npz_sha256": hashlib.sha256(data).hexdigest(), **changed}
    (folder / "model.json").write_text(json.dumps(fields))


def arrays_of(folder):
    with np.load(folder / "model.npz") as archive:
        return dict(archive.items())


def test_a_model_with_a_tail_extrapolation_loads_without_it(frame, fitted, tmp_path):
    fitted.save(tmp_path)
    length = len(fitted.codec_.columns)
    extrapolation = {"reach/trust": np.ones((length, 2)), "reach/noise": np.ones(9)}
    rewrite(tmp_path, arrays_of(tmp_path) | extrapolation, version=5)
    with pytest.warns(UserWarning, match="tail extrapolation, which is no longer"):
        back = AmbientImputer.load(tmp_path)
    pd.testing.assert_frame_equal(back.transform(frame), fitted.transform(frame))
    back.save(tmp_path / "again")
    assert not any(name.startswith("reach/") for name in arrays_of(tmp_path / "again"))
    AmbientImputer.load(tmp_path / "again")  # a warning would be an error here


def test_load_reports_an_absent_array_as_damage(fitted, tmp_path):
    fitted.save(tmp_path)
    arrays = arrays_of(tmp_path)
    del arrays["calibration/pooled"]
    rewrite(tmp_path, arrays)
    with pytest.raises(ValueError, match="damaged or foreign"):
        AmbientImputer.load(tmp_path)


def test_a_row_is_drawn_alike_whatever_the_other_rows_lack(frame, fitted):
    one = frame.iloc[[0]].copy()
    one.loc[:, "x"] = np.nan
    other = frame.iloc[[1]].copy()
    for name in other.columns[:-1]:
        other[name] = pd.Series([None], other.index).astype(other[name].dtype)
    both = pd.concat([one, other])
    pd.testing.assert_frame_equal(
        fitted.sample_imputations(both, num_draws=1)[0].iloc[[0]],
        fitted.sample_imputations(one, num_draws=1)[0],
    )


@pytest.mark.parametrize("shape", [(3, 4), (500, 64), (5000, 257)])
def test_probabilities_are_held_in_portions_of_bounded_size(shape):
    rows = rows_at_once(*shape, batch_size=512)
    assert 512 <= rows <= MAX_CHUNK_ROWS
    assert rows % 512 == 0
    assert rows * shape[0] * shape[1] <= MAX_CHUNK_PROBABILITIES or rows == 512


def test_not_fitted():
    with pytest.raises(NotFittedError):
        AmbientImputer().transform(pd.DataFrame({"x": [1.0, None]}))


def test_arrays_come_back_as_arrays():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    out = quick().fit_transform(x)
    assert isinstance(out, np.ndarray)
    assert out.dtype == np.float32
    seen = ~np.isnan(x)
    assert np.array_equal(out[seen], x[seen])
    assert not np.isnan(out).any()


def test_delta_shifts_imputed_cells_only(frame, fitted):
    plain = fitted.transform(frame)
    moved = clone(fitted).set_params(delta={"x": 1.5})
    moved.__dict__.update({k: v for k, v in vars(fitted).items() if k.endswith("_")})
    out = moved.transform(frame)
    hole = frame["x"].isna()
    difference = (out["x"] - plain["x"])[hole]
    np.testing.assert_allclose(difference, 1.5, atol=1e-9)
    pd.testing.assert_series_equal(out["x"][~hole], frame["x"][~hole])
    with pytest.raises(ValueError, match="delta names column 'nope'"):
        quick(delta={"nope": 1.0}).fit(frame)
    with pytest.raises(ValueError, match="delta names column 'name', which holds"):
        quick(delta={"name": 1.0}).fit(frame)
    with pytest.raises(ValueError, match="delta of column 'x' must be finite"):
        quick(delta={"x": np.inf}).fit(frame)


@pytest.mark.parametrize("dtype", ["UInt8", "Int8"])
def test_delta_that_leaves_the_range_of_an_integer_names_the_column(dtype):
    cells = pd.array([1, 2, None, 3] * 10, dtype=dtype)
    x = pd.DataFrame({"small": cells, "y": np.arange(40.0)})
    imputer = quick(delta={"small": 1.0}).fit(x)
    assert imputer.transform(x)["small"].max() <= 4
    imputer.set_params(delta={"small": -200.0})
    with pytest.raises(ValueError, match=f"'small' of type {dtype} cannot hold"):
        imputer.transform(x)


def test_indicator_and_feature_names(frame):
    imputer = quick(add_indicator=True).fit(frame)
    out = imputer.transform(frame)
    assert list(out.columns) == list(imputer.get_feature_names_out())
    flags = out.iloc[:, frame.shape[1] :]
    assert flags.shape[1] == frame.shape[1] - 1  # "full" has no hole
    assert flags["missingindicator_x"].tolist() == frame["x"].isna().tolist()


def test_pipeline_column_transformer_and_set_output():
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(size=(40, 3)), columns=list("abc"))
    x = x.mask(rng.random(x.shape) < 0.2)
    assert np.isfinite(make_pipeline(quick(), StandardScaler()).fit_transform(x)).all()
    parts = ColumnTransformer([("fill", quick(), ["a", "b"])], remainder="drop")
    parts.set_output(transform="pandas")
    assert list(parts.fit_transform(x).columns) == ["fill__a", "fill__b"]


def test_verbose_shows_a_bar_and_silence_is_the_default(capsys):
    x = pd.DataFrame({"a": np.arange(40.0), "b": [1.0, np.nan] * 20})
    quick().fit(x)
    assert capsys.readouterr().err == ""
    quick(verbose=1).fit(x)
    shown = capsys.readouterr().err
    assert "fit (stops early" in shown
    assert "| 0/2 [" in shown  # one bar over two rounds of a step each
