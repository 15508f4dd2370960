"""Observed cells of held-out rows, hidden and predicted again."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from ambient_jax import keys
from ambient_jax.data.missingness import MCAR, mask_tokens
from ambient_jax.tabular.columns.codec import Encoded
from ambient_jax.tabular.fitting.network import out_of_fold
from ambient_jax.tabular.model import ColumnPart, TableModel

NUM_REPEATS = 9
"""How often cells of the held-out rows are hidden, other ones each time. About six in
ten of the observed cells are then hidden at least once."""

HIDDEN_SHARE = 0.1
"""Share of the held-out rows' cells that is hidden at a time. It is small, so that the
cells that stay visible say as much as those of a row to be imputed."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class HeldOutCells:
    """The held-out rows with some of their cells hidden.

    Attributes:
      shown: the n rows, without the hidden cells in `tokens`; `values` has all.
      parts: what the network predicts of the hidden cells, see
        `TableModel.column_parts`.
    """

    shown: Encoded
    parts: list[ColumnPart]


def held_out_cells(
    model: TableModel, encoded: Encoded, excluded_rows: np.ndarray, seed: int
) -> Iterator[HeldOutCells]:
    """Yields held-out rows `NUM_REPEATS` times, in parts.

    Where the model is an ensemble, each row is predicted by the networks that were not
    trained on it. The whole ensemble, which imputes, is more accurate than they are.

    Args:
      model: the fitted model.
      encoded: the N rows of `fit`.
      excluded_rows: `[N, K]` bool, True where a row is excluded from the training of
        one of the K networks.
      seed: of the choice of hidden cells.
    """
    rows = np.flatnonzero(excluded_rows.any(axis=1))
    judge, context = out_of_fold(
        model.denoiser, encoded.context[rows], excluded_rows[rows]
    )
    if judge is not model.denoiser:
        model = dataclasses.replace(model, denoiser=judge)
    mask, few = model.codec.num_values, MCAR(rate=HIDDEN_SHARE)
    for repeat in range(NUM_REPEATS if len(rows) else 0):
        rng = keys.host_rng(seed, keys.Purpose.EVALUATION, 2, repeat)
        tokens = encoded.tokens[rows]
        shown = Encoded(
            tokens=mask_tokens(few, tokens, mask, rng), context=context,
            values=encoded.values[rows],
        )  # fmt: skip
        hidden = (shown.tokens == mask) & (tokens != mask)
        for part, p in model.probabilities(shown, np.arange(len(rows))):
            yield HeldOutCells(
                shown=shown.take(part), parts=list(model.column_parts(p, hidden[part]))
            )
