"""Commands of the command line, and the flags that they stand for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ambient_jax import configs
from ambient_jax.errors import UserError, nearest

TABLE = "impute table"

COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "train": (
        "train a model, or go on with a run that was stopped",
        ("config", "workdir"),
    ),
    "impute": (
        "complete rows by a trained model",
        (
            "workdir",
            "input",
            "output",
            "gap",
            "num_draws",
            "statistic",
            "seed",
            "overwrite",
        ),
    ),
    TABLE: (
        "complete a CSV or Parquet file: impute table FILE",
        ("workdir", "overwrite"),
    ),
    "sample": (
        "draw new rows from a trained model",
        ("workdir", "num", "output", "seed", "overwrite"),
    ),
    "evaluate": ("compute the figures of a trained model anew", ("workdir",)),
    "compare": (
        "put finished runs beside each other: compare FOLDER FOLDER ...",
        ("output", "overwrite"),
    ),
}
"""What each command does, and the flags that apply to it."""

ALWAYS = {"config", "mode", "compare"}
"""Flags that say which command it is. A config may be repeated for a finished run,
which refuses another one than its own."""


def expanded(argv: Sequence[str]) -> list[str]:
    """Returns the arguments as flags alone, with configs by their paths.

    Args:
      argv: name of the program, and perhaps a command before the flags.

    Raises:
      UserError: there is no such command or config, or an operand is absent.
    """
    program, *rest = argv
    if rest and not rest[0].startswith("-"):
        command, *rest = rest
        rest = _as_flags(command, rest)
    for index, argument in enumerate(rest):
        if argument in ("--config", "-config") and index + 1 < len(rest):
            rest[index + 1] = config_path(rest[index + 1])
        elif argument.startswith(("--config=", "-config=")):
            name = argument.partition("=")[2]
            rest[index] = f"--config={config_path(name)}"
    return [program, *rest]


def _as_flags(command: str, rest: list[str]) -> list[str]:
    if command == "impute" and rest[:1] == ["table"]:
        command, rest = TABLE, rest[1:]
    if command not in COMMANDS:
        raise UserError(f"there is no command {command!r}{nearest(command, COMMANDS)}")
    count = next((i for i, a in enumerate(rest) if a.startswith("-")), len(rest))
    operands, rest = rest[:count], rest[count:]
    if command == TABLE:
        if len(operands) != 1:
            raise UserError("give one file: impute table data.csv --workdir=out")
        return [f"--config=table:{operands[0]}", *rest]
    if command == "compare":
        if not operands:
            raise UserError("give folders of finished runs: compare FOLDER FOLDER ...")
        return ["--compare=" + ",".join(operands), *rest]
    return [f"--mode={command}", *operands, *rest]


def config_path(value: str) -> str:
    """`NAME[:DATA]` as `PATH[:DATA]`; a path stays as it is.

    Raises:
      UserError: the package has no such config, or the path does not exist.
    """
    name, colon, data = value.partition(":")
    names = config_files()
    if name in names:
        return f"{names[name]}{colon}{data}"
    if not Path(name).exists():
        hint = nearest(Path(name).stem, names)
        raise UserError(f"--config={name}: there is no such file or config{hint}")
    return value


def config_files() -> dict[str, Path]:
    """The configs that the package holds, by name."""
    return {
        path.stem: path
        for folder in configs.__path__
        for path in sorted(Path(folder).glob("*.py"))
        if "def get_config" in path.read_text(encoding="utf-8")
    }


def check_flags(flags: Any) -> None:
    """Refuses a flag that the command would ignore.

    Raises:
      UserError: there is one.
    """
    command = _command_of(flags)
    applicable = COMMANDS[command][1]
    every = {name for _, names in COMMANDS.values() for name in names}
    for name in sorted(every - ALWAYS - set(applicable)):
        if flags[name].present:
            listed = ", ".join(f"--{known}" for known in applicable)
            raise UserError(
                f"--{name} does not apply to {command}, which takes {listed} and the "
                "fields of its config, --config.field=value"
            )


def _command_of(flags: Any) -> str:
    if flags.compare:
        return "compare"
    if flags.mode == "train" and flags.config is not None and "table" in flags.config:
        return TABLE
    return flags.mode
