"""DiffPuterImputer: the contract of an imputer, and what its means do to the spread."""

import dataclasses
import json
import os
import pickle
import shutil

import jax
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from ambient_jax import AmbientImputer, DiffPuterImputer, DiffPuterRecipe, pool
from ambient_jax.files import digest
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.gaussian.standard_codec import StandardCodec, codes, num_bits
from tests.tabular.test_imputer import assert_completed, mixed

QUICK = DiffPuterRecipe(
    iterations=2, steps=20, batch_size=32, width=16, depth=1, num_levels=6,
    resamplings=2, num_draws=3,
)  # fmt: skip


def quick(**fields):
    return DiffPuterImputer(**{"random_state": 0, "recipe": QUICK} | fields)


@pytest.fixture(scope="module")
def frame():
    return mixed()


@pytest.fixture(scope="module")
def fitted(frame):
    return quick().fit(frame)


def test_transform_keeps_columns_order_index_dtypes_and_observed_cells(frame, fitted):
    assert_completed(fitted.transform(frame), frame)
    assert len(fitted.history_) == 2
    assert np.isfinite(fitted.history_).all()


def test_transform_is_deterministic_and_row_by_row(frame, fitted):
    whole = fitted.transform(frame)
    pd.testing.assert_frame_equal(whole, fitted.transform(frame))
    one = fitted.transform(frame.iloc[[7]])
    pd.testing.assert_frame_equal(one, whole.iloc[[7]])


def test_fit_is_a_function_of_the_seed(frame, fitted):
    again = quick().fit(frame)
    pd.testing.assert_frame_equal(again.transform(frame), fitted.transform(frame))
    other = quick(random_state=1).fit(frame)
    assert not other.transform(frame).equals(fitted.transform(frame))


@pytest.mark.parametrize("corrected", [False, True])
def test_draws_differ_and_hold_categories_that_exist(frame, corrected):
    imputer = quick(corrected=corrected).fit(frame)
    draws = imputer.sample_imputations(frame, num_draws=3)
    for draw in draws:
        assert_completed(draw, frame)
        assert set(draw["name"]) <= {"a", "b", "c"}  # three of the four codes
        assert set(draw["level"]) <= {"lo", "hi"}
        assert draw["count"].between(0, 8).all()
    assert not draws[0].equals(draws[1])
    again = imputer.sample_imputations(frame, num_draws=1)[0]
    pd.testing.assert_frame_equal(again, draws[0])


def test_a_pickled_imputer_completes_alike(frame, fitted):
    copy = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(copy.transform(frame), fitted.transform(frame))


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    fitted.save(folder)
    return folder


def test_a_saved_imputer_completes_and_draws_bitwise_alike(frame, fitted, saved):
    assert {path.name for path in saved.iterdir()} == {"model.json", "model.npz"}
    back = DiffPuterImputer.load(saved)
    pd.testing.assert_frame_equal(back.transform(frame), fitted.transform(frame))
    pair = [m.sample_imputations(frame, num_draws=1)[0] for m in (back, fitted)]
    pd.testing.assert_frame_equal(*pair)
    assert (back.recipe, back.seed_, back.history_) == (
        QUICK, fitted.seed_, fitted.history_,
    )  # fmt: skip
    assert list(back.get_feature_names_out()) == list(frame.columns)


def test_a_model_saved_with_the_defaults_keeps_those_of_its_day(frame, tmp_path):
    """The recipe is saved as it was, though the parameter is None."""
    imputer = quick().fit(frame[["x", "name"]])
    imputer.set_params(recipe=None)
    imputer.save(tmp_path)
    fields = json.loads((tmp_path / "model.json").read_text())
    assert fields["recipe"] == dataclasses.asdict(DiffPuterRecipe())
    fields["recipe"] = dataclasses.asdict(QUICK)
    (tmp_path / "model.json").write_text(json.dumps(fields))
    assert DiffPuterImputer.load(tmp_path).model_.single == QUICK.completer(1)


def test_an_imputer_without_a_column_to_learn_from_is_saved_too(tmp_path):
    frame = pd.DataFrame({"id": [f"u{i}" for i in range(30)]})
    with pytest.warns(UserWarning, match="different text"):
        quick().fit(frame).save(tmp_path)
    back = DiffPuterImputer.load(tmp_path)
    pd.testing.assert_frame_equal(back.transform(frame), frame)


class Opened:
    """What a pickle of this does when it is read is to make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def forged(saved, folder, **arrays):
    """A copy with other arrays, and the digest that belongs to them."""
    shutil.copytree(saved, folder)
    with np.load(folder / "model.npz") as archive:
        whole = dict(archive) | arrays
    np.savez(folder / "model.npz", **whole)
    fields = json.loads((folder / "model.json").read_text())
    fields["npz_sha256"] = digest((folder / "model.npz").read_bytes())
    (folder / "model.json").write_text(json.dumps(fields))
    return folder


def test_a_pickle_in_the_file_is_not_opened(saved, tmp_path):
    evil = np.empty(1, object)
    evil[0] = Opened(tmp_path / "opened")
    for name in ("codec/mean", "more"):
        folder = forged(saved, tmp_path / name.replace("/", "_"), **{name: evil})
        with pytest.raises(ValueError, match=r"damaged or foreign.*allow_pickle"):
            DiffPuterImputer.load(folder)
    assert not (tmp_path / "opened").exists()
    with np.load(folder / "model.npz", allow_pickle=True) as archive:
        _ = archive["more"]  # it would have been opened
    assert (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    ("name", "array", "match"),
    [
        ("codec/sd", np.ones(2), "sd must be"),
        ("params/Dense_0/kernel", np.ones((2, 2), np.float32), "of its network"),
    ],
)
def test_arrays_of_another_size_are_refused(saved, tmp_path, name, array, match):
    folder = forged(saved, tmp_path / "copy", **{name: array})
    with pytest.raises(ValueError, match=match):
        DiffPuterImputer.load(folder)


def test_a_model_of_another_kind_or_none_is_refused(saved, tmp_path):
    with pytest.raises(ValueError, match=r"another format, ambient_jax.DiffPuter"):
        AmbientImputer.load(saved)
    with pytest.raises(FileNotFoundError, match="no saved DiffPuterImputer"):
        DiffPuterImputer.load(tmp_path)
    with pytest.raises(NotFittedError):
        quick().save(tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_arrays_come_back_as_arrays_and_names_are_those_of_the_columns(frame, fitted):
    x = np.random.default_rng(0).normal(size=(40, 3))
    x[::3, 1] = np.nan
    imputer = quick(add_indicator=True).fit(x)
    out = imputer.transform(x)
    assert out.shape == (40, 4)
    assert list(imputer.get_feature_names_out()) == [
        "x0", "x1", "x2", "missingindicator_x1",
    ]  # fmt: skip
    assert (out[:, :3][~np.isnan(x)] == x[~np.isnan(x)]).all()
    assert list(fitted.get_feature_names_out()) == list(frame.columns)
    framed = quick().set_output(transform="pandas").fit(x).transform(x)
    assert list(framed.columns) == ["x0", "x1", "x2"]


def test_rows_without_an_observed_cell_and_columns_without_one():
    frame = mixed()[["x", "name"]]
    frame.iloc[0] = np.nan
    frame["empty"] = np.nan
    with pytest.warns(UserWarning, match="empty"):
        imputer = quick().fit(frame)
    out = imputer.transform(frame)
    assert out[["x", "name"]].notna().all().all()
    assert out["empty"].isna().all()
    new = frame.iloc[[1]].assign(name="never seen", x=np.nan)
    assert imputer.transform(new)["name"].tolist() == ["never seen"]


def test_a_frame_of_identifiers_is_passed_through():
    frame = pd.DataFrame({"id": [f"u{i}" for i in range(30)]})
    with pytest.warns(UserWarning, match="different text"):
        imputer = quick().fit(frame)
    pd.testing.assert_frame_equal(imputer.transform(frame), frame)
    assert len(imputer.sample_imputations(frame, num_draws=2)) == 2


@pytest.mark.parametrize(
    ("wrong", "match"),
    [({"missing_markers": "?"}, "list of texts"), ({"max_categories": 0}, ">= 1")],
)
def test_parameters_out_of_range_are_refused(frame, wrong, match):
    with pytest.raises(ValueError, match=match):
        quick(**wrong).fit(frame)


def test_what_is_not_fitted_or_not_a_number_of_draws_is_refused(frame, fitted):
    with pytest.raises(NotFittedError):
        clone(fitted).transform(frame)
    with pytest.raises(ValueError, match="num_draws"):
        fitted.sample_imputations(frame, num_draws=0)


def test_numbers_are_scaled_by_twice_the_standard_deviation_and_come_back():
    frame = mixed()
    codec = StandardCodec.fit(TableCodec.fit(frame), frame)
    z = codec.encode(frame)
    names = [column.name for column in codec.table.columns]
    x = z[:, codec.where[names.index("x")]][:, 0]
    own = frame["x"].to_numpy()
    np.testing.assert_allclose(
        x, (own - np.nanmean(own)) / (2 * np.nanstd(own)), atol=1e-6
    )
    assert np.nanstd(z, axis=0) == pytest.approx(0.5, abs=1e-5)
    for index, column in enumerate(codec.table.columns):
        cells = frame[column.name]
        seen = cells.notna().to_numpy()
        back = codec.decode(index, z[seen], whole=column.kind != "number")
        filled = column.filled(cells, np.flatnonzero(seen), back)
        if column.kind == "number":
            np.testing.assert_allclose(
                filled[seen].astype(float), cells[seen].astype(float), rtol=1e-5,
                atol=1e-5,
            )  # fmt: skip
        else:
            pd.testing.assert_series_equal(filled, cells)


def test_codes_are_binary_and_the_nearest_that_exists_is_decoded():
    assert [num_bits(n) for n in (1, 2, 3, 4, 5, 26)] == [1, 1, 2, 2, 3, 5]
    np.testing.assert_array_equal(codes(3), [[0, 0], [0, 1], [1, 0]])
    frame = pd.DataFrame({"c": ["a", "b", "c"] * 5})
    codec = StandardCodec.fit(TableCodec.fit(frame), frame)
    x = np.array([[1.0, 1.0], [0.9, 0.2], [0.0, 0.9], [-3.0, -3.0]])
    z = (x - codec.mean) / (2 * codec.sd)
    found = codec.decode(0, z.astype(np.float32), whole=True)
    assert set(found) <= {"a", "b", "c"}  # (1, 1) is the code of none
    assert found.tolist()[1:] == ["c", "b", "a"]


def normal_frame(n=500, seed=0):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, 1))
    x = 0.8 * factor + 0.6 * rng.normal(size=(n, 4))  # correlations of .64
    full = pd.DataFrame(x, columns=list("abcd"))
    return full, full.mask(
        pd.DataFrame(rng.random(x.shape) < 0.5, columns=full.columns)
    )


SMALL = DiffPuterRecipe(
    iterations=6, steps=150, batch_size=128, width=48, depth=2, num_levels=16,
    resamplings=3, num_draws=10, learning_rate=3e-3,
)  # fmt: skip


def spread(corrected):
    """Variance of the drawn cells in units of that of the data, and pooled means."""
    full, frame = normal_frame()
    imputer = DiffPuterImputer(corrected=corrected, recipe=SMALL, random_state=0)
    draws = imputer.fit(frame).sample_imputations(frame, num_draws=5)
    holes = frame.isna().to_numpy()
    drawn = np.mean([draw.to_numpy()[holes].var() for draw in draws])
    results = [(d["a"].mean(), d["a"].std() / np.sqrt(len(d))) for d in draws]
    return drawn / full.to_numpy()[holes].var(), pool(results), full["a"].mean()


def test_means_shrink_the_variance_and_draws_do_not():
    """With 50 % missing, six iterations: by how much is printed and bounded."""
    published, _, _ = spread(corrected=False)
    corrected, pooled, truth = spread(corrected=True)
    print(f"variance of draws: published {published:.2f}, corrected {corrected:.2f}")
    assert published < 0.75
    assert 0.8 < corrected < 1.3
    assert pooled.missing_information > 0.05  # Rubin's rules see the missing cells
    assert abs(pooled.estimate - truth) < 4 * pooled.se


@pytest.fixture(scope="module")
def quick_compilation():
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


LEAST = dataclasses.replace(QUICK, iterations=1, steps=1, num_levels=2, num_draws=1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("quick_compilation")
@parametrize_with_checks([DiffPuterImputer(random_state=0, recipe=LEAST)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)
