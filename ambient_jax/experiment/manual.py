"""The pages of `--help`, of which none needs JAX."""

import ast
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ambient_jax.experiment.arguments import COMMANDS, TABLE, config_files
from ambient_jax.version import __version__

HELP = ("--help", "-h", "-help", "help", "--helpfull", "--helpshort")

EXAMPLES = """\
  {program} train --config=em_consistency:digits --workdir=run
  {program} impute --workdir=run --input=holes.npz --output=draws.npz --num_draws=5
  {program} sample --workdir=run --num=64 --output=new.npz
  {program} impute table data.csv --workdir=out"""


def page(argv: Sequence[str], flags: Any) -> str | None:
    """Returns the page that the arguments ask for; None if they ask for none.

    Args:
      argv: name of the program and its arguments.
      flags: those that are defined.
    """
    name = Path(argv[0]).name
    program = f"python {name}" if name.endswith(".py") else name
    words = [a for a in argv[1:] if not a.startswith("-") and a != "help"]
    if "--version" in argv[1:]:
        return f"ambient_jax {__version__}"
    if not any(a in HELP for a in argv[1:]) and argv[1:]:
        return None
    is_table = words[:2] == TABLE.split()
    topic = TABLE if is_table else "".join(words[:1])
    if topic in COMMANDS:
        return _of_command(program, topic, flags)
    if topic in config_files():
        return _of_config(topic)
    return _of_program(program)


def _of_program(program: str) -> str:
    commands = "\n".join(_entry(name, what) for name, (what, _) in COMMANDS.items())
    names = "\n".join(
        _entry(name, _docstring(path).splitlines()[0])
        for name, path in config_files().items()
    )
    return f"""\
usage: {program} COMMAND [--flag=value ...]

Trains generative models on incomplete data; fills in, generates and scores rows.

{EXAMPLES.format(program=program)}

commands ({program} COMMAND --help lists the flags of each):
{commands}

configs: --config=NAME:DATA, or --config=PATH.py:DATA for one of your own
({program} help NAME prints one; base and gaussian_base name all fields):
{names}

data: digits, mnist, mnist14, binarized_mnist, text, text:PATH (UTF-8), or the path of
an .npz; of a table, the path of a .csv or .parquet."""


def _of_command(program: str, command: str, flags: Any) -> str:
    what, names = COMMANDS[command]
    lines = [f"usage: {program} {command} [--flag=value ...]", "", _sentence(what), ""]
    shown = ("config", *names) if command == "train" else names
    for name in shown:
        flag = flags[name]
        text = f"{flag.help} (default: {flag.default})" if flag.default else flag.help
        lines.append(_entry(f"--{name}", text))
    if command == TABLE:
        lines += ["", "Fields, given as --config.table.num_draws=20, of", "",
                  _of_config("table")]  # fmt: skip
    return "\n".join(lines)


def _of_config(name: str) -> str:
    """The text of a config, which says what it claims and what each field means."""
    path = config_files()[name]
    return f"{path}:\n\n{path.read_text(encoding='utf-8')}"


def _docstring(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").strip()


def _entry(name: str, text: str) -> str:
    """One entry of a list: a name, and what it is, in lines of 88 characters."""
    return textwrap.fill(
        name.ljust(18) + text, 88, initial_indent="  ", subsequent_indent=" " * 20
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
