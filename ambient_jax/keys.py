"""All random keys of a run, derived from its seed by purpose, round and step."""

import enum

import jax
import numpy as np
from jaxtyping import Array

from ambient_jax.errors import UserError
from ambient_jax.types import RootKey, RowKeys


class Purpose(enum.IntEnum):
    """What a random key is used for.

    The values enter the keys, so that results change if one changes: append, never
    reorder.
    """

    INIT = 0
    TRAIN_STEP = 1
    BATCH_ORDER = 2
    E_STEP = 3
    E_STEP_ROWS = 4
    EVALUATION = 5
    SAMPLE = 6
    IMPUTE = 7
    PICTURES = 8
    PRIOR = 9
    PRIOR_ROWS = 10


HOST_STREAM_OFFSET = 100
"""Added to a purpose on the host: streams [seed, 0..3] belong to `data.load`."""


def derive(seed: int, purpose: Purpose, *numbers: int) -> RootKey:
    """Returns a JAX key that is a function of the arguments alone.

    Args:
      seed: root of all randomness of a run.
      numbers: indices within the purpose, such as the round and the step.

    Raises:
      UserError: the seed is negative or needs more than the 32 bits that JAX uses.
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
    """Returns a NumPy generator that is a function of the arguments, as in `derive`.

    It serves what is drawn on the host, such as the order of rows.
    """
    return np.random.default_rng([seed, HOST_STREAM_OFFSET + purpose, *numbers])
