"""Contracts: the shape, type, range and value that a function must return."""

from collections.abc import Callable
from dataclasses import dataclass

import chex
import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Contract:
    """What a function promises about one call.

    Attributes:
      function: takes arrays and keys only.
      arguments: makes the arguments anew for each call, since a key must not be used
        twice. NumPy arrays are put on the device.
      shape: shape of the result, exactly.
      dtype: type of the result, exactly.
      low: no element of the result is below it.
      high: no element of the result is above it.
      naive: computes the same result by loops in NumPy, or returns a known value.
    """

    function: Callable
    arguments: Callable
    shape: tuple[int, ...]
    dtype: type = jnp.float32
    low: float = -np.inf
    high: float = np.inf
    naive: Callable | None = None

    def on_device(self) -> list:
        """Fresh arguments as JAX arrays, keys and pytrees."""
        arguments = self.arguments()
        return [jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]


def check(found: jax.Array, contract: Contract) -> None:
    """Asserts that a result keeps the contract."""
    chex.assert_shape(found, contract.shape)
    chex.assert_rank(found, len(contract.shape))
    chex.assert_type(found, contract.dtype)
    chex.assert_tree_all_finite(found)
    found = np.asarray(found)
    assert found.min() >= contract.low
    assert found.max() <= contract.high
    if contract.naive is not None:
        expected = np.asarray(contract.naive())
        chex.assert_equal_shape([found, expected])
        tolerance = 1e-6 if jnp.issubdtype(contract.dtype, jnp.floating) else 0
        chex.assert_trees_all_close(
            found, expected.astype(found.dtype), rtol=10 * tolerance, atol=tolerance
        )
