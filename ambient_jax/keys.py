"""Every random key of a run, derived from one root by purpose, round and step."""

import enum

import jax
import numpy as np
from jaxtyping import Array

from ambient_jax.errors import UserError
from ambient_jax.types import RootKey, RowKeys


class Purpose(enum.IntEnum):
    """What randomness is for. Numbers decide results: append, never reorder."""

    INIT = 0
    TRAIN_STEP = 1
    BATCH_ORDER = 2
    E_STEP = 3
    E_STEP_ROWS = 4
    EVALUATION = 5
    SAMPLE = 6
    IMPUTE = 7
    PICTURES = 8


HOST = 100


def derive(seed: int, purpose: Purpose, *numbers: int) -> RootKey:
    """A JAX key that is a function of the arguments alone.

    Raises:
      UserError: a seed that JAX would cut down to another one.
    """
    if not 0 <= seed < 2**32:
        raise UserError(f"seed {seed} lies outside 0..{2**32 - 1}; give another")
    key = jax.random.fold_in(jax.random.key(seed), purpose)
    for number in numbers:
        key = jax.random.fold_in(key, number)
    return key


def row_keys(key: RootKey, row_ids: Array) -> RowKeys:
    """Returns one key per row, a function of the root key and the row's index."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, row_ids)


def host_rng(seed: int, purpose: Purpose, *numbers: int) -> np.random.Generator:
    """The same for randomness on the host (orders of rows).

    The streams of `data.load` are `[seed, 0..3]`; these keep clear of them.
    """
    return np.random.default_rng([seed, HOST + purpose, *numbers])
