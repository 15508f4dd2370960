"""The examples in docstrings print what they say; the reference has such examples."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"

NAMED = sorted({
    name
    for page in [*(DOCS / "reference").glob("*.md"), DOCS / "maths.md"]
    for name in re.findall(r"^::: ([\w.]+)", page.read_text(), re.MULTILINE)
})  # fmt: skip
"""Modules, classes and functions of the reference."""

SHOWN = (
    "api.load_data", "api.build_denoiser", "tabular.imputer.AmbientImputer",
    "tabular.pooling.pool", "data.missingness.MCAR", "data.missingness.mask_tokens",
    "data.tokenizer.Levels", "diffusion.masked.absorbing.forward",
    "diffusion.masked.absorbing.reverse_step", "diffusion.masked.losses.easy_loss",
    "diffusion.masked.schedules.elbo_weight",
)  # fmt: skip
"""What has an example at least."""


def module_of(name):
    """The module that a dotted name is or lies in."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return importlib.import_module(name.rpartition(".")[0])


MODULES = sorted({module_of(name).__name__ for name in NAMED})


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize("name", SHOWN)
def test_what_is_used_most_has_an_example(name):
    home, _, member = f"ambient_jax.{name}".rpartition(".")
    assert home in MODULES
    assert ">>> " in getattr(importlib.import_module(home), member).__doc__


@pytest.mark.parametrize("name", NAMED)
def test_what_the_reference_names_exists(name):
    module = module_of(name)
    if module.__name__ != name:
        assert getattr(module, name.rpartition(".")[2]).__doc__
