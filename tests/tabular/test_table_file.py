"""CSV and Parquet in and out: observed cells keep their very text."""

import numpy as np
import pandas as pd
import pytest

from ambient_jax.errors import UserError
from ambient_jax.tabular.table_file import read_table

CSV = 'n,price,flag,who\n1,0.50,TRUE,ann\n,1e3,FALSE,"b, c"\n007,,,\n'


def test_observed_text_is_kept(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(CSV)
    file = read_table(path)
    assert file.frame.isna().to_numpy().sum() == 4
    full = file.frame.copy()
    full.iloc[1, 0], full.iloc[2, 1] = 5, 2.25
    full.iloc[2, 2], full.iloc[2, 3] = True, "ann"
    file.write(tmp_path / "out.csv", full)
    assert (tmp_path / "out.csv").read_text() == (
        'n,price,flag,who\n1,0.50,TRUE,ann\n5,1e3,FALSE,"b, c"\n007,2.25,TRUE,ann\n'
    )


def test_parquet_round_trip(tmp_path):
    frame = pd.DataFrame({"x": [1.0, np.nan], "c": pd.Categorical(["a", None])})
    frame.to_parquet(tmp_path / "in.parquet")
    file = read_table(tmp_path / "in.parquet")
    file.write(tmp_path / "out.parquet", file.frame)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), frame)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"x,y\n1,2\n3,4,5\n", "cannot be read as a table"),
        ("a.csv", b"x,y\n1,2,3\n3,4\n", "line 2 has 3 cells, the first line 2"),
        ("a.csv", b'x,y\n1,"2\n"\n3\n', "line 4 has 1 cells, the first line 2"),
        ("a.csv", "x,y\nä,2\n".encode("latin-1"), "not UTF-8"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"x,y\n", "has 0 rows"),
        ("a.parquet", b"junk", "cannot be read as a table"),
        ("a.xlsx", b"junk", "neither a .csv nor a .parquet"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_table(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_absent_file(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_table(tmp_path / "no.csv")


def test_equal_names_and_blank_lines_of_one_column_are_kept(tmp_path):
    for content in ("x,x,\n1,2,a\n,4,b\n", "x\n1\n\n3\n"):
        (tmp_path / "in.csv").write_text(content)
        file = read_table(tmp_path / "in.csv")
        assert file.frame.isna().to_numpy().sum() == 1
        full = file.frame.copy()
        full.iloc[1, 0] = 7
        file.write(tmp_path / "out.csv", full)
        expected = content.replace("\n,", "\n7,").replace("\n\n", "\n7\n")
        assert (tmp_path / "out.csv").read_text() == expected
