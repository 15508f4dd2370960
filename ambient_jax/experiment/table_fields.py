"""The fields of `config.table`: options of a file, names of columns, the imputer."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ambient_jax.errors import ArgumentError, UserError
from ambient_jax.experiment.config import Config


def read(c: Config) -> Any:
    """Reads the file of `config.table` as its fields say.

    Raises:
      UserError: the file or a field cannot be used; the message names it.
    """
    from ambient_jax.tabular.files.csv_text import CsvOptions
    from ambient_jax.tabular.files.names import split_names
    from ambient_jax.tabular.files.table_file import read_table

    markers = c.missing_markers
    try:
        options = CsvOptions(
            encoding=c.encoding, decimal=c.decimal,
            separator="\t" if c.separator == "tab" else c.separator,
            comment=c.comment, header=c.header, numeric=tuple(split_names(c.numeric)),
            missing_markers=None if markers is None else tuple(split_names(markers)),
        )  # fmt: skip
        return read_table(Path(c.source).expanduser(), options)
    except ArgumentError as error:
        name = f"config.table.{error.argument}"
        raise UserError(error.message_for(name)) from error


def with_field_names(notes: Iterable[str], c: Config) -> tuple[str, ...]:
    """Notes of the library, in which an argument `x` is called `config.table.x`."""

    def field(found: re.Match) -> str:
        return f"config.table.{found[1]}" if found[1] in c else found[0]

    return tuple(re.sub(r"`(\w+)`", field, note) for note in notes)


def columns(field: str, text: str, frame: pd.DataFrame) -> list[Any]:
    """The columns that a field names, all of which the table has."""
    from ambient_jax.tabular.files.names import named, split_names

    try:
        return named(field, split_names(text), frame.columns)
    except ArgumentError as error:
        raise UserError(error.message_for(f"config.table.{field}")) from error


def imputer(config: Config, frame: pd.DataFrame, keep_in: Path) -> Any:
    """The imputer that the fields describe; it keeps checkpoints in a folder.

    Raises:
      UserError: a field cannot be used; the message names it.
    """
    c = config.table
    if c.num_draws < 0:
        raise UserError(f"config.table.num_draws must be at least 0, got {c.num_draws}")
    shared = {
        "categorical_features": columns("categorical", c.categorical, frame),
        "numeric_features": columns("numeric", c.numeric, frame),
        "missing_markers": (),  # those of the file are missing in its frame
        "random_state": config.seed, "verbose": 1,
    }  # fmt: skip
    if "diffputer" in config:
        return _diffputer(config.diffputer, shared)
    return _ambient(c, frame, keep_in, shared)


def _ambient(
    c: Config, frame: pd.DataFrame, keep_in: Path, shared: dict[str, Any]
) -> Any:
    from ambient_jax.tabular.imputer import AmbientImputer
    from ambient_jax.tabular.interface.parameters import check_parameters

    made = AmbientImputer(
        statistic=c.statistic, delta=_shifts(c.delta, frame), max_epochs=c.max_epochs,
        max_time=c.max_time, checkpoint_dir=keep_in, **shared,
    )  # fmt: skip
    try:
        check_parameters(made)
    except ValueError as error:
        raise UserError(f"config.table: {error}") from error
    return made


def _diffputer(c: Config, shared: dict[str, Any]) -> Any:
    from ambient_jax.tabular.diffputer import DiffPuterImputer
    from ambient_jax.tabular.gaussian.recipe import DiffPuterRecipe

    try:
        recipe = DiffPuterRecipe(**c.recipe)
    except ValueError as error:
        raise UserError(f"config.diffputer.recipe: {error}") from error
    return DiffPuterImputer(corrected=c.corrected, recipe=recipe, **shared)


def outcome(fitted: Any) -> str:
    """What a fit came to, in a few words for the report; empty if nothing was fitted.

    Args:
      fitted: an imputer of either kind.
    """
    if not fitted.history_:
        return ""
    if hasattr(fitted, "calibration_"):
        return f"{min(fitted.history_):.3f} nats per held-out cell"
    return f"loss of the last M-step {fitted.history_[-1]:.3f}"


def _shifts(text: str, frame: pd.DataFrame) -> dict[Any, float]:
    """`"a=1,b=-2"` as a dictionary."""
    from ambient_jax.tabular.files.names import split_names

    shifts = {}
    for part in split_names(text):
        name, _, value = part.rpartition("=")
        if not name:
            raise UserError(f"config.table.delta: {part!r} is not name=number")
        (column,) = columns("delta", _quoted(name), frame)
        try:
            shifts[column] = float(value)
        except ValueError as error:
            raise UserError(f"config.table.delta: {part!r} is not name=number") from (
                error
            )
    return shifts


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
