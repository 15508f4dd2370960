"""CSV and Parquet files are read, and written with their observed cells unchanged."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ambient_jax.errors import UserError
from ambient_jax.tabular.files.csv_text import CsvOptions
from ambient_jax.tabular.files.table_file import read_table
from ambient_jax.tabular.frames.interchange import NULLABLE_TYPES
from ambient_jax.tabular.text.dates import find_date_formats

CSV = 'n,price,flag,who\n1,0.50,TRUE,ann\n,1e3,FALSE,"b, c"\n7,,,\n'


def test_observed_text_is_preserved(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(CSV)
    file = read_table(path)
    assert file.frame.isna().to_numpy().sum() == 4
    full = file.frame.copy()
    full.iloc[1, 0], full.iloc[2, 1] = 5, 2.25
    full.iloc[2, 2], full.iloc[2, 3] = True, "ann"
    file.write(tmp_path / "out.csv", full)
    assert (tmp_path / "out.csv").read_text() == (
        'n,price,flag,who\n1,0.50,TRUE,ann\n5,1e3,FALSE,"b, c"\n7,2.25,TRUE,ann\n'
    )


def test_parquet_round_trip(tmp_path):
    frame = pd.DataFrame({"x": [1.0, np.nan], "c": pd.Categorical(["a", None])})
    frame.to_parquet(tmp_path / "in.parquet")
    file = read_table(tmp_path / "in.parquet")
    file.write(tmp_path / "out.parquet", file.frame)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), frame)


def test_an_empty_cell_beside_numbers_that_are_too_large_is_a_hole(tmp_path):
    (tmp_path / "in.csv").write_text("id,x\n18446744073709551615,1\n,2\n1,3\n")
    file = read_table(tmp_path / "in.csv")
    assert file.frame["id"].isna().tolist() == [False, True, False]
    assert "looks like a number" in file.notes[0]


@pytest.mark.parametrize(
    ("cell", "date", "text"),
    [
        ("0987-12-01", "0500-03-05", "0500-03-05"),
        ("2024-01-02 10:00:00.5", "2024-03-05 01:02:03.25", "2024-03-05 01:02:03.2"),
        (
            "2024-01-02T10:00:00.00Z",
            "2024-03-05 01:02:03.25",
            "2024-03-05T01:02:03.25Z",
        ),
    ],
)
def test_imputed_dates_are_spelled_as_observed_ones(cell, date, text):
    (found,) = find_date_formats(pd.Series([cell]))
    assert found.write(pd.Timestamp(date)) == text


def test_a_date_that_cannot_be_written_is_refused_by_name(tmp_path):
    (tmp_path / "in.csv").write_text("day,x\n2024-01-01,1\n,2\n")
    file = read_table(tmp_path / "in.csv")
    full = file.frame.copy()
    full.loc[1, "day"] = pd.Timestamp("9999-12-31").as_unit("s") + pd.Timedelta(days=9)
    with pytest.raises(UserError, match=r"'day'.*beyond the year 9999"):
        file.write(tmp_path / "out.csv", full)
    assert not (tmp_path / "out.csv").exists()


def test_imputed_money_is_rounded_to_the_digits_of_the_file(tmp_path):
    kind = pa.decimal128(20, 10)
    table = pa.table({"m": pa.array([Decimal("1.5"), None], kind)})
    pq.write_table(table, tmp_path / "in.parquet")
    file = read_table(tmp_path / "in.parquet")
    full = file.frame.assign(m=[Decimal("1.5"), Decimal("2.123456789012345")])
    file.write(tmp_path / "out.parquet", full)
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.schema.field("m").type == kind
    assert out["m"].to_pylist()[1] == Decimal("2.1234567890")


def test_parquet_keeps_index_and_types(tmp_path):
    """Whole numbers, dates and money with holes come back as Arrow had them."""
    table = pa.table({
        "n": pa.array([1, None, 3], pa.int64()),
        "day": pa.array([dt.date(2024, 1, 1), None, dt.date(2024, 2, 1)]),
        "money": pa.array([Decimal("1.50"), None, Decimal("2.00")],
                          pa.decimal128(12, 2)),
        "f": pa.array([1.5, None, 2.5], pa.float32()),
        "t": pa.array(["a", None, "b"]), "b": pa.array([True, None, False]),
    })  # fmt: skip
    frame = table.to_pandas(types_mapper=NULLABLE_TYPES.get)
    frame.index = pd.Index([7, 8, 9], name="key")
    table = pa.Table.from_pandas(frame)
    pq.write_table(table, tmp_path / "in.parquet")
    file = read_table(tmp_path / "in.parquet")
    full = file.frame.copy()
    full["n"] = full["n"].fillna(2)
    full["money"] = full["money"].where(full["money"].notna(), Decimal("7.1"))
    file.write(tmp_path / "out.parquet", full)
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.schema.equals(table.schema)
    assert out["n"].to_pylist() == [1, 2, 3]
    assert out["money"].to_pylist()[1] == Decimal("7.10")
    assert out.to_pandas().index.equals(frame.index)


@pytest.mark.parametrize(
    ("first", "last", "new"),
    [
        ("2024-01-02", "2024-12-31", "2024-03-05"),
        ("2024/01/02", "2024/12/31", "2024/03/05"),
        ("02.01.2024", "31.12.2024", "05.03.2024"),
        ("2/1/2024", "31/12/2024", "5/3/2024"),
        ("1/2/2024", "12/31/2024", "3/5/2024"),
        ("2024-01-02 09:05", "2024-12-31 17:30", "2024-03-05 06:07"),
        ("2024-01-02T09:05:01Z", "2024-12-31T17:30:00Z", "2024-03-05T06:07:00Z"),
    ],
)
def test_dates_of_a_csv_are_dates_and_are_written_as_they_were(
    tmp_path, first, last, new
):
    path = tmp_path / "in.csv"
    path.write_text(f"day,x\n{first},1\n,2\n{last},3\n")
    file = read_table(path)
    assert pd.api.types.is_datetime64_any_dtype(file.frame["day"].dtype)
    assert file.frame["day"].iloc[0].strftime("%m%d") == "0102"
    full = file.frame.copy()
    full.loc[1, "day"] = pd.Timestamp("2024-03-05 06:07").floor(
        "min" if ":" in new else "D"
    )
    file.write(tmp_path / "out.csv", full)
    assert (
        tmp_path / "out.csv"
    ).read_text() == f"day,x\n{first},1\n{new},2\n{last},3\n"
    assert file.notes == ()


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (["01/02/2024", "03/04/2024"], "day and month of '01/02/2024' cannot be told"),
        (["10%", "2.5"], "'10%' looks like a number"),
        (["$5", "€7.25"], "looks like a number"),
        (["99999999999999999999", "3"], "looks like a number"),
        (["192.168-1", "b"], None),
        (["2024-02-30", "2024-02-01"], "'2024-02-30', are not all of one known format"),
        (["2024-02-03", "4.2.2024"], "not all of one known format"),
        (["2024-02-03 10:00+01:00", "2024-02-03 10:00Z"], "not all of one known"),
        (["1.2.3", "1.10.2"], None),
    ],
)
def test_text_that_looks_like_dates_or_numbers_is_noted(tmp_path, cells, note):
    path = tmp_path / "in.csv"
    path.write_text("\n".join(["c,x", *(f"{c},1" for c in cells), ",2", ""]))
    file = read_table(path)
    assert isinstance(file.frame["c"].dtype, pd.StringDtype)
    assert (file.notes == ()) == (note is None)
    assert note is None or note in file.notes[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"x,y\n1,2\n3,4,5\n", "cannot be read as a table"),
        ("a.csv", b"x,y\n1,2,3\n3,4\n", "line 2 has 3 cells, the first line 2"),
        ("a.csv", b'x,y\n1,"2\n"\n3\n', "line 4 has 1 cells, the first line 2"),
        ("a.csv", "x,y\nä,2\n".encode("latin-1"), "not UTF-8.*set encoding"),
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


def test_texts_that_mean_missing_in_parquet(tmp_path):
    table = pa.table({"n": ["1", "?", "3"], "who": ["ann", "?", "bob"]})
    pq.write_table(table, tmp_path / "in.parquet")
    file = read_table(tmp_path / "in.parquet")
    assert file.frame.isna().to_numpy().sum(axis=0).tolist() == [1, 0]
    assert "'?' in column 'n' (cells: 1)" in file.notes[0]
    file = read_table(tmp_path / "in.parquet", CsvOptions(missing_markers=("?",)))
    assert file.frame.isna().to_numpy().sum(axis=0).tolist() == [1, 1]
    full = file.frame.copy()
    full.loc[1, "who"] = "ann"
    file.write(tmp_path / "out.parquet", full)
    out = pq.read_table(tmp_path / "out.parquet").to_pydict()
    assert out == {"n": ["1", "?", "3"], "who": ["ann", "ann", "bob"]}
