"""Text as rows of characters: alphabets, gaps, and which part is for tests."""

import numpy as np
import pytest

from ambient_jax.data.alphabet import Alphabet, alphabet_of
from ambient_jax.data.missingness import MCAR, Blocks
from ambient_jax.data.text import load_text, python_documentation, read_text
from ambient_jax.errors import ArgumentError, UserError

NONE = MCAR(rate=0.0)


def written(tmp_path, text, name="own.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return f"text:{path}"


@pytest.mark.parametrize("kind", ["own", "bytes"])
def test_decoding_gives_back_every_character(kind):
    text = "Gefüllt: 1.234 €\r\n\tΔ_a 🙂 b\x00"
    alphabet = alphabet_of(text, kind)
    tokens = alphabet.encode(text)
    assert alphabet.decode(tokens) == text
    assert (tokens >= 0).all()
    assert tokens.max() < alphabet.num_values
    restored = Alphabet.from_json(alphabet.as_json())
    assert np.array_equal(restored.encode(text), tokens)


def test_text8_folds_case_and_collapses_all_else_to_one_space():
    alphabet = alphabet_of("", "text8")
    tokens = alphabet.encode("Ab\n\n--9 Zé_z")
    assert alphabet.num_values == 27
    assert alphabet.decode(tokens) == "ab z z"
    assert list(tokens) == [1, 2, 0, 26, 0, 26]


@pytest.mark.parametrize("kind", ["own", "bytes", "text8"])
def test_a_marked_character_is_missing_and_no_symbol(kind):
    alphabet = alphabet_of("a?b??ü ", kind, gap="?")
    tokens = alphabet.encode("a?b?? a")
    assert list(np.flatnonzero(tokens < 0)) == [1, 3, 4]
    assert "?" not in alphabet.symbols
    assert alphabet.decode(tokens, missing="?") == "a?b?? a"


@pytest.mark.parametrize("kind", ["own", "bytes", "text8"])
@pytest.mark.parametrize("gap", ["_", "é", "\ud7ff", "\U0010ffff", "a", "-"])
def test_any_character_may_mark_a_gap(kind, gap):
    text = f"{gap}b{gap}{gap}ab\ud7ff\U0010ffffé{gap}"
    alphabet = alphabet_of(text, kind, gap)
    tokens = alphabet.encode(text)
    assert (tokens < 0).sum() == text.count(gap)
    assert tokens[0] == tokens[-1] == -1
    shown = alphabet.decode(tokens, missing=gap)
    assert shown.count(gap) == text.count(gap)
    if kind != "text8":
        assert shown == text


def test_the_marker_of_gaps_never_reaches_training_as_a_value(tmp_path):
    rng = np.random.default_rng(0)
    letters = rng.choice(list("abc"), 4000)
    gaps = rng.random(4000) < 0.4
    source = written(tmp_path, "".join(np.where(gaps, "_", letters)))
    data = load_text(source, missingness=NONE, length=16, alphabet="own", gap="_")
    assert data.train.num_values == 3
    assert data.observed_share == pytest.approx(0.6, abs=0.03)
    assert data.held_out is not None
    assert not data.held_out.complete
    cut = 3600
    for part in (data.train, data.valid):
        assert part.tokens.max() == part.mask
    seen = sum((part.tokens < 3).sum() for part in (data.train, data.valid))
    assert seen == (~gaps[:cut]).sum()


def test_test_rows_are_the_last_tenth_and_no_training_row(tmp_path):
    numbers = "".join(f"{n:05d}" for n in range(2000))  # no row of ten occurs twice
    source = written(tmp_path, numbers + "12345")
    data = load_text(source, missingness=NONE, length=10, alphabet="own")
    alphabet, held_out = data.alphabet, data.held_out
    assert alphabet is not None
    assert held_out is not None

    def texts(rows):
        return [alphabet.decode(row) for row in rows]

    train = texts(data.train.tokens) + texts(data.valid.tokens)
    test = texts(held_out.test)
    assert len(set(train)) == len(train) == 900
    assert len(set(test)) == len(test) == 100
    assert not set(train) & set(test)
    # A tenth of 10,005 characters is 1,000: the test rows are text[9005:10005].
    text = numbers + "12345"
    assert set(test) == {text[i : i + 10] for i in range(9005, 10_005, 10)}
    assert set(train) == {text[i : i + 10] for i in range(0, 9000, 10)}


def test_a_remainder_of_less_than_a_row_is_left_out(tmp_path):
    text = "ab" * 212  # 424 characters: a test part of 42, a rest of 382
    data = load_text(written(tmp_path, text), missingness=NONE, length=8)
    assert len(data.train) + len(data.valid) == 382 // 8
    assert data.held_out is not None
    assert len(data.held_out.test) == 42 // 8


def test_few_rows_are_held_out_unless_more_are_asked_for(tmp_path):
    source = written(tmp_path, "ab" * 20_000)
    data = load_text(source, missingness=NONE, length=4)
    assert data.held_out is not None
    assert (len(data.valid), len(data.held_out.test)) == (300, 300)
    data = load_text(source, missingness=NONE, length=4, num_test=900, num_valid=800)
    assert data.held_out is not None
    assert (len(data.valid), len(data.held_out.test)) == (800, 900)


def test_a_stretch_of_text_is_missing_with_blocks(tmp_path):
    source = written(tmp_path, "abcd" * 2000)
    data = load_text(source, missingness=Blocks(rate=0.5, size=8), length=64)
    hidden = ~data.train.observed
    assert hidden.mean() == pytest.approx(0.5, abs=0.05)
    after = hidden[:, 1:][hidden[:, :-1]].mean()
    assert after > 0.85  # a hidden character is followed by another


def test_files_of_a_folder_are_read_in_order_and_hidden_ones_are_not(tmp_path):
    (tmp_path / "b").mkdir()
    written(tmp_path, "one", "a.txt")
    written(tmp_path / "b", "two", "x")
    written(tmp_path, "never", ".hidden")
    assert read_text(tmp_path) == "one\ntwo"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no text"),
        (b" \n ", "holds no text"),
        (b"abc\xffd", "own.txt is not UTF-8: byte 0xff at offset 3; convert it"),
        (b"abc", "20 rows; give more text, or shorter rows"),
    ],
)
def test_text_that_cannot_be_used_is_refused(tmp_path, content, message):
    with pytest.raises(UserError, match=message) as caught:
        load_text(written(tmp_path, content), missingness=NONE)
    assert "\n" not in str(caught.value)


def test_arguments_that_do_not_fit_are_named(tmp_path):
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 257))) * 9
    source = written(tmp_path, many)
    for argument, value, message in (
        ("alphabet", "own", "257 different characters, of which 256 .* alphabet=bytes"),
        ("alphabet", "latin", "'latin' is unknown. One of: text8, bytes, own"),
        ("gap", "ab", "a gap is marked by one character"),
        ("length", 0, "must be at least 1"),
    ):
        fields = {"length": 16, argument: value}
        with pytest.raises(ArgumentError, match=message) as caught:
            load_text(source, missingness=NONE, **fields)
        assert caught.value.argument == argument
    with pytest.raises(UserError, match="cannot be read"):
        load_text("text:/no/such/file", missingness=NONE)


def test_a_character_outside_of_the_alphabet_is_named_with_its_place():
    alphabet = alphabet_of("abc", "own", gap="_")
    with pytest.raises(UserError, match="'x' at place 4 is none of the 3"):
        alphabet.encode("a_bx")


def test_python_carries_a_corpus():
    text = python_documentation()
    assert len(text) > 300_000
    assert "assert" in text[:100]
