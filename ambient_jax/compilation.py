"""How functions are compiled: `jax.jit`, and quicker where that costs nothing."""

from collections.abc import Callable
from typing import Any

import jax

CPU_LEVEL = 2
"""LLVM's; the third, XLA's default, took twice as long for code that is no faster."""


def jit(function: Callable, **settings: Any) -> Any:
    """`jax.jit(function, **settings)`."""
    options = {}
    if jax.default_backend() == "cpu":
        options = {"xla_backend_optimization_level": CPU_LEVEL}
    return jax.jit(function, compiler_options=options, **settings)
