"""The fields of `config.table`: names of columns, options of the file, and messages."""

import pandas as pd
import pytest

from ambient_jax.errors import UserError
from ambient_jax.experiment import table, table_fields
from ambient_jax.tabular.columns.codec import TableCodec
from configs.table import get_config


def config(path, **fields):
    made = get_config(str(path))
    made.table.update(fields)
    return made


@pytest.fixture
def source(tmp_path):
    (tmp_path / "in.csv").write_text('id, age,"b, c",zip\n1,5,2,01234\n2,,3,99999\n')
    return tmp_path / "in.csv"


def test_names_with_commas_and_blanks_can_be_given_in_every_field(source, tmp_path):
    made = config(
        source, categorical='"b, c", age', identifiers="id", numeric="zip",
        delta='age=-2,"b, c"=1.5',
    )  # fmt: skip
    frame = table_fields.read(made.table).frame
    assert frame["zip"].tolist() == [1234, 99999]
    assert table_fields.columns("identifiers", "id", frame) == ["id"]
    imputer = table_fields.imputer(made, frame, tmp_path)
    assert imputer.categorical_features == ["b, c", "age"]
    assert imputer.numeric_features == ["zip"]
    assert imputer.delta == {"age": -2.0, "b, c": 1.5}


def test_a_blank_in_a_name_of_a_parquet_file_does_not_matter():
    frame = pd.DataFrame({" x ": [1], "a=b": [2]})
    assert table_fields.columns("identifiers", "x", frame) == [" x "]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"numeric": "b"}, "config.table.numeric names column 'b'.*double quotes"),
        ({"encoding": "foo"}, "config.table.encoding='foo' is no encoding"),
        ({"separator": "ab"}, "config.table.separator='ab' must be one character"),
        ({"decimal": ";"}, "config.table.decimal=';' must be"),
    ],
)
def test_messages_name_the_field(source, fields, message):
    with pytest.raises(UserError, match=message):
        table_fields.read(config(source, **fields).table)


def test_notes_name_the_field(source):
    made = config(source).table
    (note,) = table_fields.with_field_names(table_fields.read(made).notes, made)
    assert note.endswith("if these are numbers, name it in config.table.numeric")


def test_missing_markers_of_the_field_are_all_there_are(tmp_path):
    (tmp_path / "in.csv").write_text("x,y\n1,?\n-9,NA\n,b\n")

    def holes(markers):
        made = config(tmp_path / "in.csv", missing_markers=markers).table
        return table_fields.read(made).frame.isna().to_numpy().tolist()

    found = [[False, True], [False, True], [True, False]]
    assert holes(None) == found
    assert holes("") == [[False, False], [False, False], [True, False]]
    assert holes("-9, ?") == [[False, True], [True, False], [True, False]]


def test_the_command_tells_which_numbers_are_codes(tmp_path, capsys):
    frame = pd.DataFrame({"code": [1, 2] * 30, "term": [360] * 40 + [*range(20)]})
    codec = TableCodec.fit(frame)
    lines = list(table._print_estimates(codec, "auto"))
    assert [line.rpartition(": ")[2] for line in lines] == ["'code'", "'term'"]
    assert lines[0].startswith("taken for codes (if not, name them in config.table.n")
    assert capsys.readouterr().out.splitlines() == lines
    assert list(table._print_estimates(codec, "mean")) == []
