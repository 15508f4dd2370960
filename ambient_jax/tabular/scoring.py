"""Log densities of the observed cells of rows."""

import dataclasses

import jax
import numpy as np
import pandas as pd

from ambient_jax.tabular.columns import density
from ambient_jax.tabular.columns.category import CategoryColumn
from ambient_jax.tabular.columns.codec import Encoded, TableCodec
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.model import TableModel

MAX_CHAIN_LENGTH = 40
"""Rows of at most this many tokens are scored by the chain rule, which takes one call
of the network per token. Longer rows are scored by the ELBO, in ten calls."""

NUM_ORDERS = 2
"""How many random orders of the chain rule, or repeats of the ELBO, a score is the mean
of. More would lower its variance, and cost as much again."""


def score_rows(
    codec: TableCodec, model: TableModel | None, frame: pd.DataFrame
) -> np.ndarray:
    """`log p(observed cells)` `[N]` in nats; see `AmbientImputer.score_samples`."""
    encoded = codec.encode(frame)
    total = np.zeros(len(frame))
    for i, column in enumerate(codec.columns):
        if isinstance(column.coder, CategoryColumn):
            observed = frame.iloc[:, column.position].notna().to_numpy()
            unseen = observed & (encoded.tokens[:, i] == codec.num_values)
            total[unseen] -= np.log(column.coder.count + 2.0)
    if model is not None:
        total += log_density(model, encoded)
    return total


def log_density(model: TableModel, encoded: Encoded) -> np.ndarray:
    """Log densities `[N]` of the observed cells of rows, in nats.

    The tokens that no regression predicts come first, in random orders, then the
    numbers inside their bins, then the other columns one after another.
    """
    last = [] if model.regression is None else model.regression.columns
    mask = model.codec.num_values
    tokens, values = encoded.tokens.copy(), encoded.values.copy()
    tokens[:, last], values[:, last] = mask, np.nan
    shown = dataclasses.replace(encoded, tokens=tokens, values=values)
    total = _log_probability(model, shown) + _log_density_inside(model, shown)
    rows = np.arange(len(tokens))
    for index in last:
        cells = np.zeros(tokens.shape, bool)
        cells[:, index] = encoded.tokens[:, index] != mask
        for _, own, prediction in model.predictions(shown, rows, cells):
            total[own] += prediction.log_density(encoded.values[own, index])
        tokens[:, index] = encoded.tokens[:, index]
        values[:, index] = encoded.values[:, index]
    return total


def _log_probability(model: TableModel, encoded: Encoded) -> np.ndarray:
    """`log p(observed tokens)` `[N]` in nats, the mean over `NUM_ORDERS` orders.

    All rows have the same orders, so that a row's score depends on the row alone.
    """
    tokens = encoded.tokens
    scored = tokens != model.codec.num_values
    same = np.zeros(len(tokens), np.int64)
    functions, total = model.functions, np.zeros(len(tokens))
    exact = model.codec.length <= MAX_CHAIN_LENGTH
    score = functions.chain_rule if exact else functions.elbo
    for order in range(NUM_ORDERS):
        nats = score(
            model.params, jax.random.key(order), tokens, scored,
            context=encoded.context, ids=same,
        )  # fmt: skip
        total -= nats if exact else nats.mean(axis=1)
    return total / NUM_ORDERS


def _log_density_inside(model: TableModel, encoded: Encoded) -> np.ndarray:
    """`log p(value | token)` `[N]`, summed over the observed numbers of a row."""
    total = np.zeros(len(encoded.tokens))
    for i, column in enumerate(model.codec.columns):
        if isinstance(column.coder, NumberColumn):
            known = np.isfinite(encoded.values[:, i])
            total[known] += density.log_density(
                column.coder, encoded.values[known, i],
                encoded.tokens[known, i].astype(int),
            )  # fmt: skip
    return total
