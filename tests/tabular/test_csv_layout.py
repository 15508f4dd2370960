"""CSV files as people have them: separators, encodings, comments, lines of names."""

import pytest

from ambient_jax.errors import UserError
from ambient_jax.tabular.files.csv_text import CsvOptions
from ambient_jax.tabular.files.table_file import read_table


def read(path, content, encoding="utf-8", **options):
    path = path / "in.csv"
    path.write_bytes(content.encode(encoding))
    return read_table(path, CsvOptions(**options))


def written(file, folder, *cells):
    """The bytes of the file with `(row, column, value)` imputed."""
    full = file.frame.copy()
    for row, column, value in cells:
        full.iloc[row, column] = value
    file.write(folder / "out.csv", full)
    return (folder / "out.csv").read_bytes()


EUROPEAN = "Ort;Preis\nBonn;1,5\nKöln;\nUlm;12,25\n"


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        (EUROPEAN, ";"),
        (EUROPEAN.replace(";", "\t"), "\t"),
        (EUROPEAN.replace(";", "|"), "|"),
        ('a,b\n1,"x;y;z"\n2,\n', ","),
        ('a;b\n"1,5;2";3\n"4,0;5";\n', ";"),
    ],
)
def test_separators_are_found_told_and_written(tmp_path, content, separator):
    file = read(tmp_path, content)
    assert file.frame.shape[1] == 2
    told = [note for note in file.notes if "cells are separated" in note]
    assert len(told) == (separator != ",")
    assert written(file, tmp_path).decode() == content.replace(
        '"', ""
    ) or separator in (",;")


def test_decimal_commas_of_a_file_are_told_and_written(tmp_path):
    file = read(tmp_path, EUROPEAN)
    assert file.frame["Preis"].tolist()[::2] == [1.5, 12.25]
    assert "column 'Preis' is read as numbers that are written like" in file.notes[1]
    out = written(file, tmp_path, (1, 1, 3.5)).decode()
    assert out == EUROPEAN.replace("Köln;", "Köln;3,5")


@pytest.mark.parametrize(
    ("content", "number"),
    [
        ('x,y\n"1,234",1.5\n', 1234),
        ('x,y\n"1,234","1,5"\n', 1.234),
        ("x;y\n1,234;a\n", 1.234),
        ("x;y\n1,234;1.5\n", 1234),
        ("x,y\n1.234,1.5\n", 1.234),
        ("x;y\n1.234;1,5\n", 1234),
    ],
)
def test_an_open_sign_means_what_it_means_in_the_rest_of_the_file(
    tmp_path, content, number
):
    assert read(tmp_path, content).frame["x"].tolist() == [number]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_file_of_an_excel_export_is_read_and_written_alike(tmp_path, end):
    content = f'sep=;{end}Größe;"a;b"{end}1,5;x{end};y{end}#DIV/0!;{end}'
    file = read(tmp_path, content, "utf-16")
    assert file.frame.isna().sum().tolist() == [2, 1]
    assert [n for n in file.notes if "separated" in n] == []
    assert written(file, tmp_path) == content.encode("utf-16")
    out = written(file, tmp_path, (1, 0, 2.5)).decode("utf-16")
    assert out == content.replace(f"{end};y", f"{end}2,5;y")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le", "utf-16-be", "cp1252"])
def test_other_encodings_are_named_in_the_error_and_read_by_the_option(
    tmp_path, encoding
):
    with pytest.raises(UserError, match=r"set encoding.*(latin-1|utf-16-le)"):
        read(tmp_path, "Ort,n\nKöln,1\n", encoding)
    file = read_table(tmp_path / "in.csv", CsvOptions(encoding=encoding))
    assert file.frame["Ort"].tolist() == ["Köln"]
    assert written(file, tmp_path) == "Ort,n\nKöln,1\n".encode(encoding)


def test_a_byte_order_mark_of_utf_8_is_kept(tmp_path):
    file = read(tmp_path, "x,y\n1,\n", "utf-8-sig")
    assert list(file.frame) == ["x", "y"]
    assert written(file, tmp_path) == "x,y\n1,\n".encode("utf-8-sig")


def test_comment_lines_are_named_in_the_error_and_skipped_by_the_option(tmp_path):
    content = '# of 2024, by hand\nx,y\n1,"a\n#b"\n# later\n,c\n'
    with pytest.raises(UserError, match="if '#' begins a comment, set comment to it"):
        read(tmp_path, content.replace("2024,", "2024"))
    file = read(tmp_path, content, comment="#")
    assert file.frame["y"].tolist() == ["a\n#b", "c"]
    assert written(file, tmp_path).decode() == content.replace("# later\n", "")


def test_blanks_around_names_cells_and_before_quotes_do_not_matter(tmp_path):
    file = read(tmp_path, 'n, age ,"c, d"\n ann,4 , 1\nann , ?,2\n"  ", 5,\n')
    assert list(file.frame) == ["n", "age", "c, d"]
    assert file.frame["n"].tolist()[:2] == ["ann", "ann"]
    assert file.frame.isna().to_numpy().tolist() == [
        [False] * 3, [False, True, False], [True, False, True],
    ]  # fmt: skip
    out = written(file, tmp_path, (1, 1, 7), (2, 2, 3)).decode()
    assert out == 'n, age ,"c, d"\n ann,4 , 1\nann ,7,2\n  , 5,3\n'
    file = read(tmp_path, 'n, t\n1, "x, y"\n2, "z, ?"\n')
    assert file.frame["t"].tolist() == ["x, y", "z, ?"]
    content = 'n,t\n 1,"x, ""y"""\n 2,z\n'
    assert written(read(tmp_path, content), tmp_path).decode() == content


def test_names_that_differ_by_blanks_only_stay_different(tmp_path):
    file = read(tmp_path, "x, x\n1,2\n")
    assert len(set(file.frame)) == 2


def test_a_file_without_a_line_of_names(tmp_path):
    content = "5.1,3.5,setosa\n4.9,,setosa\n4.7,3.2,setosa\n"
    file = read(tmp_path, content)
    assert "first line looks like data and not like names (5.1, 3.5)" in file.notes[0]
    assert "set `header` to False" in file.notes[0]
    file = read(tmp_path, content, header=False)
    assert file.notes == ()
    assert list(file.frame) == ["column_1", "column_2", "column_3"]
    assert written(file, tmp_path, (1, 1, 3.0)).decode() == content.replace(
        ",,", ",3.0,"
    )
    dates = read(tmp_path, "2024-01-01,a\n2024-02-01,b\n")
    assert "looks like data" in dates.notes[0]
    for names in ("place,2019,2020", "2018,2019,2020", "a,b,c"):
        assert read(tmp_path, f"{names}\n1,2,3\n").notes == ()


def test_markers_are_told_by_column_and_left_where_nothing_is_imputed(tmp_path):
    content = "age,bp,who\n48,?,ann\n?,70,?\n"
    file = read(tmp_path, content)
    assert file.frame.isna().to_numpy().sum() == 3
    assert file.notes[0].startswith(
        "'?' is read as missing in 'age' (1 cell), 'bp' (1 cell), 'who' (1 cell)"
    )
    assert written(file, tmp_path).decode() == content
    out = written(file, tmp_path, (0, 1, 80)).decode()
    assert out == content.replace("48,?", "48,80")
    file = read(tmp_path, content, missing_markers=())
    assert file.frame.isna().to_numpy().sum() == 0


def test_options_that_fit_no_file(tmp_path):
    for options, message in (
        ({"separator": ";;"}, "separator=';;' must be one character"),
        ({"decimal": "x"}, "decimal='x' must be"),
        ({"encoding": "foo"}, "encoding='foo' is no encoding"),
        ({"numeric": ("z",)}, "numeric names column 'z', which the table does not"),
    ):
        (tmp_path / "in.csv").write_text("x,y\n1,2\n")
        with pytest.raises(UserError, match=message):
            read_table(tmp_path / "in.csv", CsvOptions(**options))
