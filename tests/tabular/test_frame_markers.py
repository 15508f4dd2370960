"""Texts that mean missing in frames: found, given, and remembered by an imputer."""

import numpy as np
import pandas as pd
import pytest

from ambient_jax import AmbientImputer
from ambient_jax.tabular.interface.inputs import as_frame
from tests.tabular.test_imputer import quick

FRAME = pd.DataFrame({
    "age": pd.Series([63, "?", 41, 50.5], dtype=object),
    "text": pd.Series(["1.5", "na", "2", "3"], dtype=object),
    "word": ["a", "?", "NA", "b"], "grade": pd.Categorical(["x", "?", "x", "y"]),
    "n": [1, 2, 3, -9],
})  # fmt: skip


def holes(imputer, frame=FRAME, reset=True):
    read, _ = as_frame(imputer, frame, reset=reset)
    return [(c, r) for c in frame for r in np.flatnonzero(read[c].isna())]


def test_texts_among_numbers_are_missing_with_a_warning():
    imputer = AmbientImputer()
    with pytest.warns(UserWarning, match=r"'\?' in column 'age' \(cells: 1\)"):
        assert holes(imputer) == [("age", 1), ("text", 1)]
    assert imputer.missing_markers_ == {0: ("?",), 1: ("na",)}
    new = FRAME.assign(age=[1, 2, 3, "?"], text=["?", "na", "5", "6"])
    assert holes(imputer, new, reset=False) == [("age", 3), ("text", 1)]


def test_given_texts_are_missing_wherever_text_can_be():
    imputer = AmbientImputer(missing_markers=["?", "NA"])
    assert holes(imputer) == [("age", 1), ("word", 1), ("word", 2), ("grade", 1)]
    assert holes(AmbientImputer(missing_markers=[])) == []
    with pytest.raises(ValueError, match="missing_markers must be a list"):
        AmbientImputer(missing_markers="?").fit(FRAME)
    with pytest.raises(ValueError, match="both name column 'n'"):
        AmbientImputer(
            categorical_features=["n"], numeric_features=[4], missing_markers=[]
        ).fit(FRAME)
    with pytest.raises(ValueError, match="column 'word', which holds no numbers"):
        AmbientImputer(numeric_features=["word"], missing_markers=[]).fit(FRAME)


def test_a_saved_imputer_remembers_its_markers(tmp_path):
    cells = pd.Series([*range(30, 60), "?", "? "] * 2, dtype=object)
    frame = pd.DataFrame({"age": cells, "z": np.arange(64.0)})
    with pytest.warns(UserWarning, match="'age'"):
        imputer = quick(numeric_features=["z"]).fit(frame)
    full = imputer.transform(frame)
    assert all(isinstance(cell, int) and 30 <= cell < 60 for cell in full["age"])
    assert (full["age"] == cells)[cells.map(lambda cell: isinstance(cell, int))].all()
    imputer.save(tmp_path)
    again = AmbientImputer.load(tmp_path)
    assert again.missing_markers_ == {0: ("?",)}
    assert again.numeric_features == ["z"]
    pd.testing.assert_frame_equal(again.transform(frame), full)
