"""From drawn tokens to drawn cells: numbers inside bins, or by a regression."""

import dataclasses
from collections.abc import Callable

import numpy as np

from ambient_jax.tabular.columns.codec import Encoded
from ambient_jax.tabular.columns.column import Column
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.frames.kinds import from_numbers
from ambient_jax.tabular.model import TableModel


def drawn_numbers(
    model: TableModel, encoded: Encoded, tokens: np.ndarray, missing: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Returns the numbers `[n, L]` of completed rows; NaN in columns of categories.

    Args:
      model: that drew the tokens.
      encoded: the n rows as observed.
      tokens: `[n, L]` the same rows completed, without MASK.
      missing: `[n, L]` bool, the cells that were drawn. The others keep their numbers.
      rng: three uniform variables of each cell.
    """
    uniforms = rng.random(tokens.shape)

    def decode(coder: NumberColumn, k: np.ndarray, cells: tuple) -> np.ndarray:
        return coder.decode(k, uniforms[cells])

    drawn = _with_numbers(model, encoded, tokens, missing, decode)
    if model.regression is None:
        return drawn.values
    choice, level = rng.random((2, *tokens.shape))
    return model.regression.redraw(drawn, missing, choice, level)


def central_numbers(
    model: TableModel, encoded: Encoded, tokens: np.ndarray, missing: np.ndarray
) -> np.ndarray:
    """Returns what `drawn_numbers` does, without randomness.

    In place of a value drawn inside a bin it has the centre of the bin, and in place of
    a draw by the regression its median, where the regression prevails.
    """

    def decode(coder: NumberColumn, k: np.ndarray, cells: tuple) -> np.ndarray:
        return coder.round(coder.central_value(k))

    drawn = _with_numbers(model, encoded, tokens, missing, decode)
    if model.regression is None:
        return drawn.values
    middle = np.full(tokens.shape, 0.5)
    return model.regression.redraw(drawn, missing, middle, middle)


def _with_numbers(
    model: TableModel, encoded: Encoded, tokens: np.ndarray, missing: np.ndarray,
    decode: Callable[[NumberColumn, np.ndarray, tuple], np.ndarray],
) -> Encoded:  # fmt: skip
    """Returns completed rows with the numbers `decode(coder, tokens [m], cells)`."""
    values = encoded.values.copy()
    for index, column in enumerate(model.codec.columns):
        if isinstance(column.coder, NumberColumn):
            cells = (missing[:, index], index)
            k = tokens[cells].astype(np.int64)
            values[cells] = decode(column.coder, k, cells)
    return dataclasses.replace(encoded, tokens=tokens, values=values)


def cells_of(
    column: Column, tokens: np.ndarray, numbers: np.ndarray, shift: float
) -> np.ndarray:
    """Returns cells `[n]` of the type that the column holds.

    Args:
      tokens, numbers: `[n]` of the column; numbers are those of `drawn_numbers`.
      shift: is added to numbers (to dates in the column's unit).
    """
    if not isinstance(column.coder, NumberColumn):
        return column.coder.decode(tokens.astype(np.int64))
    return from_numbers(numbers + shift, column.kind, column.unit)
