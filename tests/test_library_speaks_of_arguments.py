"""Only `experiment/` knows of flags and configs; the library names its arguments."""

import ast
from pathlib import Path

import pytest

import ambient_jax

PACKAGE = Path(ambient_jax.__file__).parent
LIBRARY = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] != "experiment"
)
FLAGS = (
    "--config", "--workdir", "--output", "--mode", "--compare", "--input",
    "--overwrite", "config.",
)  # fmt: skip


def strings(source):
    """Line and value of every string constant that is not a docstring."""
    tree = ast.parse(source)
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in docstrings:
            continue
        if isinstance(node.value, str):
            yield node.lineno, node.value


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_message_names_a_flag_or_a_config(path):
    found = [
        f"{path}:{line}: {text!r}"
        for line, text in strings(path.read_text())
        if any(flag in text for flag in FLAGS)
    ]
    assert found == []


def test_strings_are_found_outside_of_docstrings_and_within_f_strings():
    source = '"""--config"""\nx = "--output"\ny = f"config.{x}"'
    assert list(strings(source)) == [(2, "--output"), (3, "config.")]
