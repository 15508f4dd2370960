"""The modes of `launch.py` for runs on text that read and write text files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ambient_jax.data.alphabet import Alphabet
from ambient_jax.data.text import read_text
from ambient_jax.errors import ArgumentError, UserError
from ambient_jax.experiment.outputs import new_file, output_advice
from ambient_jax.experiment.text_model import TextModel
from ambient_jax.files import output_errors, write_text
from ambient_jax.model import Model

DEFAULT_GAP = "_"
"""Marks a missing character where neither the user nor the run names a marker."""


def sample(flags: Any, alphabet: Alphabet, load: Callable[[], Model]) -> None:
    """`--mode=sample --output=NEW.txt`."""
    path = _files(flags, 1)
    text = TextModel(model=load(), alphabet=alphabet)
    _write(path, [text.sample(flags.num, flags.seed)])
    print(f"{flags.num} samples: {path[0]}")


def impute(flags: Any, alphabet: Alphabet, load: Callable[[], Model]) -> None:
    """`--mode=impute --input=GAPS.txt --output=FULL.txt`."""
    if flags.statistic == "mean":
        raise UserError("characters have no mean; leave --statistic out")
    paths, text = _files(flags, flags.num_draws), _input(flags.input)
    marked = _with_gap(alphabet, flags.gap)
    try:
        tokens = marked.encode(text)
        if str(marked.gap) not in text:
            raise UserError(f"no character is missing, as {marked.gap!r} would mark it")
    except UserError as error:
        raise UserError(f"{flags.input}: {error}") from error
    model = TextModel(model=load(), alphabet=marked)
    _write(paths, model.complete(text, flags.num_draws, flags.seed))
    print(f"{(tokens < 0).sum()} characters drawn: {', '.join(map(str, paths))}")


def _input(name: str) -> str:
    if Path(name).expanduser().is_dir():
        raise UserError(f"--input={name} is a folder; give one text file")
    return read_text(name)


def _with_gap(alphabet: Alphabet, gap: str | None) -> Alphabet:
    """The alphabet with the marker of the user, else of the run, else `_`."""
    chosen = gap or alphabet.gap
    if chosen is None:
        chosen = DEFAULT_GAP
        if alphabet.kind == "bytes" or chosen in alphabet.symbols:
            raise UserError(
                f"this run names no marker of gaps, and {chosen!r} is a character of "
                "its alphabet; give one, --gap=CHARACTER"
            )
    try:
        return alphabet.marking(chosen)
    except ArgumentError as error:
        raise UserError(error.message_for("--gap")) from error


def _files(flags: Any, count: int) -> list[Path]:
    """`--output`, or `NAME.1.txt`, `NAME.2.txt` ... for several draws."""
    if not flags.output:
        raise UserError(f"no --output; --mode={flags.mode} of text writes a .txt")
    path = Path(flags.output)
    if count == 1 or path.suffix != ".txt":
        return [new_file(flags.output, flags, ".txt")]
    names = [path.with_suffix(f".{number}.txt") for number in range(1, count + 1)]
    return [new_file(str(name), flags, ".txt") for name in names]


def _write(paths: list[Path], texts: list[str]) -> None:
    for path, text in zip(paths, texts, strict=True):
        with output_advice(), output_errors(path):
            write_text(path, text)
