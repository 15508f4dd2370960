"""Fits the factor model that a small table's network starts from."""

import dataclasses

import jax
import numpy as np
from scipy.special import ndtri

from ambient_jax.compilation import shared
from ambient_jax.data.missingness import MCAR, mask_tokens
from ambient_jax.networks.factors import Factors
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.linear.factor_analysis import (
    ITERATIONS,
    RANK,
    Coordinates,
    factor_em,
)

FOLDS, FOLD_ROWS = 3, 300
"""Number of cross-validation folds, and maximum number of rows that each scores."""

HIDE_RATE = 0.3
"""Share of the observed cells that are masked to estimate the trust."""

RANK_STEP = 4
"""Factors are padded by zeros to a multiple of these, a shape that tables share."""

TINY = 1e-30
"""Keeps a division of 0 by 0 finite."""

TRUST_ROWS = 80
"""With fewer rows the trust is not estimated, and is that of the prior."""

PRIOR_CELLS, PRIOR_TRUST = 10.0, 0.9
"""Prior of a column's trust: its weight in masked cells, and its mean."""


def fit_factors(
    codec: TableCodec, tokens: np.ndarray, context: np.ndarray,
    excluded_rows: np.ndarray | None = None,
) -> Factors:  # fmt: skip
    """Fits the factor model of rows by EM over their observed cells.

    How far each column trusts the factors is estimated by cross-validation.

    Args:
      codec: vocabularies of the columns.
      tokens, context: `[N, L]` and `[N, F]` of the rows.
      excluded_rows: `[N, K]` bool, rows that member k does not train on. The factors
        then have a leading axis of K, and those of member k are fitted without these
        rows; the trust is that of all rows. None: no such axis.
    """
    trust = _trust(codec, tokens, context)

    def of(rows: np.ndarray | slice) -> Factors:
        made = _fit(codec, tokens[rows], context[rows])
        return dataclasses.replace(made, mixture_weight=trust)

    if excluded_rows is None:
        return of(slice(None))
    made = [of(~own) for own in excluded_rows.T]
    return jax.tree.map(lambda *parts: np.stack(parts), *made)


def _trust(codec: TableCodec, tokens: np.ndarray, context: np.ndarray) -> np.ndarray:
    """Returns the weights `[L]` that maximise the likelihood of held-out masked cells.

    They mix the factor model with the marginal shares, and EM estimates them.
    """
    rng = np.random.default_rng(0)
    fold = rng.permutation(len(tokens)) % FOLDS
    z = mask_tokens(MCAR(rate=HIDE_RATE), tokens, codec.num_values, rng)
    score = context.reshape(*tokens.shape, -1)[..., 0]
    true = np.minimum(tokens.astype(int), codec.num_values - 1)
    log_probability = shared(Factors.log_probability, level=0)
    predicted, share = np.zeros(tokens.shape), np.zeros(tokens.shape)
    for index in range(FOLDS if len(tokens) >= TRUST_ROWS else 0):
        made = _fit(codec, tokens[fold != index], context[fold != index])
        out = np.flatnonzero(fold == index)[: min(FOLD_ROWS, len(tokens) // FOLDS)]
        padded = np.resize(out, FOLD_ROWS)  # one shape for all tables
        one_hot = np.eye(codec.num_values + 1, codec.num_values, dtype=np.float32)
        p = log_probability(made, one_hot[z[padded].astype(int)], score[padded])
        p = np.exp(np.asarray(p)[: len(out)])
        predicted[out] = np.take_along_axis(p, true[out][..., None], 2)[..., 0]
        share[out] = made.share[np.arange(codec.length)[None], true[out]]
    hidden = (z != tokens) & (share > 0)
    trust = np.full(codec.length, PRIOR_TRUST)
    for _ in range(ITERATIONS):
        own = trust * predicted
        own = np.where(hidden, own / (own + (1 - trust) * share + TINY), 0.0)
        trust = own.sum(axis=0) + PRIOR_CELLS * PRIOR_TRUST
        trust /= hidden.sum(axis=0) + PRIOR_CELLS
    return trust.astype(np.float32)


def _fit(codec: TableCodec, tokens: np.ndarray, context: np.ndarray) -> Factors:
    """Fits the factors, with a mixture weight of 1."""
    scores = context.reshape(*tokens.shape, -1)[..., 0]
    found, x = Coordinates.fit(codec, tokens, scores)
    centre, sd, where = found.centre, found.sd, found.where
    weights, noise = factor_em(x, max(1, min(RANK, x.shape[1] - 1, len(x))))
    weights = np.pad(weights, ((0, 0), (0, -weights.shape[1] % RANK_STEP)))
    length, values, rank = codec.length, codec.num_values, weights.shape[1]
    sizes = {
        "number_evidence": (rank,), "centre": (), "precision": (rank, rank),
        "category_evidence": (values, rank), "loading": (rank,), "noise": (),
        "share_slope": (values, rank), "bin_edges": (values + 1,), "share": (values,),
        "mixture_weight": (),
    }  # fmt: skip
    made = Factors(
        **{k: np.zeros((length, *size), np.float32) for k, size in sizes.items()}
    )
    made.bin_edges[:], made.mixture_weight[:] = np.inf, 1.0
    for i, column in enumerate(codec.columns):
        share = column.coder.share
        made.share[i, : len(share)] = share
        w, psi = weights[where[i]], noise[where[i]]
        made.precision[i] = (w / psi[:, None]).T @ w
        if column.numeric:
            lower = ndtri(np.r_[0.0, np.cumsum(share)[:-1]])
            made.bin_edges[i, : len(share)] = lower
            made.number_evidence[i] = w[0] / psi[0] / sd[where[i]][0]
            made.centre[i] = centre[where[i]][0]
            made.loading[i], made.noise[i] = w[0], psi[0]
        else:
            seen = (np.eye(len(share)) - centre[where[i]]) / sd[where[i]]
            made.category_evidence[i, : len(share)] = seen @ (w / psi[:, None])
            made.share_slope[i, : len(share)] = w * sd[where[i]][:, None]
    return made
