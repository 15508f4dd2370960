"""Tables as they come: each edge case of issue 5 has a test."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from ambient_jax import AmbientImputer, Recipe
from ambient_jax.tabular.interface.outputs import add_indicators
from tests.tabular.test_imputer import assert_completed, quick


def numbers(n=50, columns="abc", rate=0.2, seed=0):
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.normal(size=(n, len(columns))), columns=list(columns))
    return x.mask(rng.random(x.shape) < rate)


def test_all_missing_column_is_kept_and_reported():
    x = numbers().assign(void=np.nan)
    with pytest.warns(UserWarning, match=r"without any observed value.*'void'"):
        imputer = quick().fit(x)
    out = imputer.transform(x)
    assert list(out.columns) == list(x.columns)
    assert out["void"].isna().all()
    assert not out[["a", "b", "c"]].isna().to_numpy().any()


def test_all_missing_column_is_dropped_on_request():
    x = numbers().assign(void=np.nan)
    with pytest.warns(UserWarning, match="dropped"):
        imputer = quick(keep_empty_features=False).fit(x)
    assert list(imputer.transform(x).columns) == ["a", "b", "c"]
    assert list(imputer.get_feature_names_out()) == ["a", "b", "c"]


def test_nothing_observed_at_all():
    x = pd.DataFrame({"a": [np.nan, np.nan], "b": [np.nan, np.nan]})
    with pytest.warns(UserWarning, match="without any observed value"):
        imputer = quick().fit(x)
    assert imputer.transform(x).isna().all(axis=None)
    assert imputer.score_samples(x).tolist() == [0.0, 0.0]


def test_all_missing_row():
    x = numbers()
    x.iloc[3] = np.nan
    assert_completed(quick().fit(x).transform(x), x)


def test_constant_column():
    x = numbers().assign(same=7.0)
    x.loc[4, "same"] = np.nan
    out = quick().fit(x).transform(x)
    assert (out["same"] == 7.0).all()


def test_identifier_is_passed_through_with_a_warning():
    x = numbers().assign(id=[f"user-{i}" for i in range(50)])
    x.loc[2, "id"] = None
    with pytest.warns(UserWarning, match="'id'"):
        imputer = quick().fit(x)
    out = imputer.transform(x)
    pd.testing.assert_series_equal(out["id"], x["id"])
    assert imputer.sample(3)["id"].isna().all()


def test_one_row_to_transform():
    imputer = quick().fit(numbers())
    row = pd.DataFrame({"a": [1.0], "b": [np.nan], "c": [np.nan]})
    assert_completed(imputer.transform(row), row)
    assert len(imputer.sample_imputations(row, num_draws=2)) == 2


def test_no_missing_cell():
    x = numbers(rate=0.0)
    imputer = quick().fit(x)
    pd.testing.assert_frame_equal(imputer.transform(x), x)
    pd.testing.assert_frame_equal(imputer.sample_imputations(x, num_draws=1)[0], x)


def test_unseen_category_is_kept():
    rng = np.random.default_rng(0)
    x = numbers().assign(c=rng.choice(["u", "v"], 50))
    imputer = quick().fit(x)
    new = pd.DataFrame({"a": [np.nan, 0.1], "b": [0.0, np.nan], "c": ["zebra", "u"]})
    assert_completed(imputer.transform(new), new)
    assert_completed(imputer.sample_imputations(new, num_draws=1)[0], new)
    assert np.isfinite(imputer.score_samples(new)).all()


def test_infinity_names_the_column():
    x = numbers()
    imputer = quick().fit(x)
    x.loc[1, "b"] = -np.inf
    with pytest.raises(ValueError, match=r"infinity.*'b'"):
        quick().fit(x)
    with pytest.raises(ValueError, match=r"infinity.*'b'"):
        imputer.transform(x)


def test_duplicate_column_names():
    x = numbers()
    x.columns = ["a", "a", "b"]
    assert_completed(quick().fit(x).transform(x), x)


def test_columns_of_two_levels_and_an_index_with_repeated_labels():
    """Indicators have both levels, and each hole is told apart by its positions."""
    x = numbers()
    x.columns = pd.MultiIndex.from_tuples(
        [("a", "u"), ("a", "v"), ("b", "u")], names=["group", "part"]
    )
    x.index = ["day", "night"] * 25
    imputer = quick(add_indicator=True, delta={("a", "v"): 0.5}).fit(x)
    out = imputer.transform(x)
    assert_completed(out[["a", "b"]], x)
    assert out.columns.names == ["group", "part"]
    flags = out[["missingindicator_a", "missingindicator_b"]]
    assert list(flags) == [(f"missingindicator_{a}", b) for a, b in x.columns]
    np.testing.assert_array_equal(flags, x.isna())
    told = imputer.predict_distribution(x)
    cells = told[["row_position", "column_position"]].to_numpy(int)
    assert sorted(map(tuple, cells)) == sorted(zip(*np.nonzero(x.isna().to_numpy())))
    assert (told["row"] == x.index[cells[:, 0]]).all()
    assert list(told["column"]) == [x.columns[i] for i in cells[:, 1]]
    means = imputer.set_params(statistic="mean").transform(x).to_numpy()
    np.testing.assert_allclose(
        means[*cells.T].astype(float), told["mean"].astype(float)
    )


def test_indicators_keep_the_name_of_the_columns():
    x = numbers().rename_axis(columns="measure")
    holes = x.isna().to_numpy()
    out = add_indicators(x, x, holes, np.array([1]))
    assert list(out) == ["a", "b", "c", "missingindicator_b"]
    assert out.columns.name == "measure"
    assert add_indicators(x, x, holes, np.array([], int)) is x


def test_integer_column_names():
    x = numbers()
    x.columns = [10, 20, 30]
    assert_completed(quick(delta={20: 0.5}).fit(x).transform(x), x)


@pytest.mark.parametrize("scale", [1e-12, 1e15])
def test_huge_and_tiny_scales(scale):
    x = numbers() * scale
    imputer = quick().fit(x)
    out = imputer.transform(x)
    assert_completed(out, x)
    assert out.abs().to_numpy().max() < 10 * scale
    assert np.isfinite(imputer.score_samples(x)).all()


def test_two_rows():
    x = pd.DataFrame({"a": [1.0, np.nan], "b": ["u", "v"], "c": [np.nan, 4.0]})
    assert_completed(quick().fit(x).transform(x), x)


def test_one_row_to_fit():
    x = pd.DataFrame({"a": [1.0], "b": ["u"]})
    out = quick().fit(x).transform(pd.DataFrame({"a": [np.nan], "b": [None]}))
    assert out["a"][0] == 1.0
    assert out["b"][0] == "u"


def test_missing_column_at_transform_is_named():
    imputer = quick().fit(numbers())
    with pytest.raises(ValueError, match=r"missing:\n- b"):
        imputer.transform(numbers()[["a", "c"]])


def test_another_order_at_transform_is_refused():
    imputer = quick().fit(numbers())
    with pytest.raises(ValueError, match="same order"):
        imputer.transform(numbers()[["c", "a", "b"]])


def test_ninety_nine_percent_missing():
    x = numbers(n=200, rate=0.99, seed=1)
    assert x.notna().any().all()
    assert_completed(quick().fit(x).transform(x), x)


def test_mixed_type_object_column():
    rng = np.random.default_rng(0)
    cells = np.array([1, "one", 2.5, None] * 15, dtype=object)
    x = pd.DataFrame({"a": rng.normal(size=60), "mess": cells})
    out = quick().fit(x).transform(x)
    assert_completed(out, x)
    assert {type(v) for v in out["mess"]} <= {int, str, float}


def test_object_column_of_whole_numbers_stays_whole():
    x = pd.DataFrame({"n": np.array([1, 2, None, 3] * 10, dtype=object)})
    out = quick().fit(x).transform(x)
    assert all(isinstance(v, int) for v in out["n"])


def test_whole_numbers_in_a_float_column_come_back_whole():
    x = pd.DataFrame({"n": [1.0, 2.0, np.nan, 7.0] * 20})
    assert set(quick().fit(x).transform(x)["n"]) <= set(range(1, 8))


def test_decimals_are_kept():
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"p": np.round(rng.gamma(2, 10, 100), 2)})
    x.iloc[::5] = np.nan
    out = quick().fit(x).transform(x)["p"]
    assert np.array_equal(out, np.round(out, 2))


def test_sparse_is_refused():
    with pytest.raises(TypeError, match="Sparse data was passed"):
        quick().fit(sp.csr_matrix(np.eye(4)))


def test_empty_category_in_a_text_column_of_floats_at_transform():
    """A column of text that is all missing in the new frame comes as floats."""
    x = numbers().assign(c=["u", "v"] * 25)
    imputer = quick().fit(x)
    new = pd.DataFrame({"a": [0.1], "b": [0.2], "c": [np.nan]})
    assert imputer.transform(new)["c"][0] in ("u", "v")


def test_text_in_a_numeric_column_at_transform_is_named():
    imputer = quick().fit(numbers())
    new = numbers().astype(object)
    new.loc[0, "b"] = "many"
    with pytest.raises(ValueError, match="'b'"):
        imputer.transform(new)


def test_codes_are_never_averaged():
    x = pd.DataFrame({"code": [1.0, 9.0, np.nan, 9.0] * 20, "z": np.arange(80.0)})
    imputer = quick(categorical_features=["code"]).fit(x)
    assert set(imputer.transform(x)["code"]) == {1.0, 9.0}


def test_wide_table():
    x = numbers(n=40, columns=[f"c{i}" for i in range(120)])
    assert_completed(quick().fit(x).transform(x), x)


def test_a_fit_of_one_step_has_no_round_for_an_estep():
    frame = pd.DataFrame({"x": [1.0, 2.0, np.nan, 4.0, 5.0], "k": list("abaab")})
    recipe = Recipe(width=8, depth=1, max_epochs=1, members=1)
    imputer = AmbientImputer(recipe=recipe, random_state=0).fit(frame)
    assert imputer.transform(frame).notna().all(axis=None)
