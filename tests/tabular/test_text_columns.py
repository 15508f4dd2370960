"""Columns of text: which cells are missing, and what the others are."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from ambient_jax.tabular.text.column import ColumnText
from ambient_jax.tabular.text.objects import find_markers, without_markers


def read(cells, markers=None, **options):
    cells = pd.Series(cells, name="c", dtype=object)
    return ColumnText(cells, markers).read(**options)


def values(cells, **options):
    """The values that are read, None where a cell is missing."""
    found = read(cells, **options).cells
    return [None if pd.isna(v) else v for v in found]


MARKERS = ("?", "-", "--", ".", "*", "na", "none", "None", "missing", "unknown",
           "#VALUE!", "#DIV/0!", "N/A", "NaN")  # fmt: skip


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("style", ["{}", " {}", "{}\t"])
def test_a_marker_among_numbers_or_dates_is_a_missing_cell(marker, style):
    text = style.format(marker)
    for cells, expected in (
        (["48", text, "7", text], [48, None, 7, None]),
        ([" 1.5", text, text], [1.5, None, None]),
        (["31.01.2024", text], [pd.Timestamp("2024-01-31"), None]),
    ):
        found = read(cells)
        assert values(cells) == expected
        assert found.markers == {marker: expected.count(None)}
        assert not pd.api.types.is_string_dtype(found.cells.dtype)


def test_a_repeated_word_among_very_many_numbers_is_a_marker():
    numbers = [str(n) for n in range(40)]
    for words, is_marker in (
        (["n.b.", "n.b."], True),
        (["refused", "refused", "tbd", "tbd"], True),
        (["twelve"], False),  # an error of typing
        (["<0.1", "<0.1"], False),  # a measurement
        (["low"] * 10, False),  # too many
        (["a", "a", "b", "b", "c", "c", "d", "d"], False),
    ):
        found = read(numbers + words)
        assert pd.api.types.is_integer_dtype(found.cells.dtype) == is_marker, words
        assert set(found.markers) == (set(words) if is_marker else set())
        if not is_marker:
            assert f"because of {words[0]!r}" in found.notes[0]


def test_in_text_only_unmistakable_markers_count_and_others_are_told():
    cells = ["red", "?", "NA", "", " ", "None", "Na", "-", "unknown"]
    found = read(cells)
    assert values(cells) == ["red", None, None, None, None, "None", "Na", "-",
                             "unknown"]  # fmt: skip
    assert found.markers == {"?": 1, "NA": 1}
    assert "'unknown' (1 cell)" in found.notes[0]
    assert "`missing_markers`" in found.notes[0]


def test_given_markers_take_the_place_of_those_found():
    assert values(["a", "?", "NA", "-9", ""], markers=["-9"]) == ["a", "?", "NA", None,
                                                                  None]  # fmt: skip
    assert values(["5", "-999", "7"], markers=["-999"]) == [5, None, 7]
    assert values(["5", "?"], markers=[]) == ["5", "?"]


@pytest.mark.parametrize(
    ("cells", "expected", "value", "text"),
    [
        (["$1,234.50", "$2.00", "?"], [1234.5, 2.0, None], 12345.678, "$12,345.678"),
        (["$1,234.50", "$2.00"], [1234.5, 2.0], 3.5, "$3.50"),
        (["-$5", "$7"], [-5, 7], -6, "-$6"),
        (["$-5", "$7"], [-5, 7], -6, "$-6"),
        (["1.234,5 €", "2,0 €"], [1234.5, 2.0], 99999.5, "99.999,5 €"),
        (["12,5", "0,25", "k.A."] * 2, [12.5, 0.25, None] * 2, 3.125, "3,125"),
        (["10%", "2.5%"], [10.0, 2.5], 7.25, "7.25%"),
        (["10 %", "-3 %"], [10, -3], 7, "7 %"),
        (["1,234", "7"], [1234, 7], 99999, "99,999"),
        (["1 234 567", "12"], [1234567, 12], 8901, "8 901"),
        (["1'234.5", "2.0"], [1234.5, 2.0], 5678.25, "5'678.25"),
        (["−4", "3"], [-4, 3], -2, "-2"),
        (["0.50", "12.25"], [0.5, 12.25], 3.0, "3.00"),
        (["0.5", "1e3"], [0.5, 1000.0], 1e-9, "1e-09"),
        (["0.123", "4.567"], [0.123, 4.567], 1.5, "1.500"),
    ],
)
def test_numbers_are_read_and_written_as_people_write_them(
    cells, expected, value, text
):
    assert values(cells) == expected
    assert read(cells).format.write(value) == text
    assert read(cells).format.write(np.float64(value)) in (text, text + ".0")


def test_a_sign_that_may_mean_two_things_means_what_is_said():
    for decimal, number in ((".", 1234), (",", 1.234)):
        assert values(["1,234", "5,678"], decimal=decimal)[0] == number
        assert values(["1,234", "5,678"], usual_decimal=decimal)[0] == number
        assert values(["0,234", "5,678"], usual_decimal=decimal)[0] == 0.234
    assert values(["1,5"], decimal=".") == ["1,5"]


def test_numbers_of_different_units_stay_text():
    for cells in (["10%", "0.1"], ["$5", "€5"], ["1,234.5", "1 234"]):
        found = read(cells)
        assert values(cells) == cells
        assert "looks like a number" in found.notes[0]


def test_digits_with_leading_zeros_are_codes():
    found = read(["01067", "80331", "?", "01067"])
    assert values(["01067", "80331", "?"]) == ["01067", "80331", None]
    assert (
        "'c' is read as text, as codes: 2 cells with leading zeros, such as '01"
        in (found.notes[0])
    )
    assert values(["01067", "80331"], numeric=True) == [1067, 80331]
    assert values(["0", "10", "0.5"]) == [0.0, 10.0, 0.5]


def test_markers_among_objects():
    day = dt.date(2024, 1, 31)
    for cells, expected in (
        ([63, "?", 41.5, " ? ", None], {"?": 2}),
        (["63", "na", "41"], {"na": 1}),
        ([day, "-", day], {"-": 1}),
        (["a", "?", "b"], {}),
        ([True, "?", False], {}),
        ([b"1", "?", 1], {}),
        ([1, 2], {}),
        ([["a"], "?", 1], {}),
    ):
        assert find_markers(pd.Series(cells, dtype=object)) == expected
    cells = pd.Series([63, "?", 41, " ? "], dtype=object)
    assert without_markers(cells, ["?"]).isna().tolist() == [False, True, False, True]
