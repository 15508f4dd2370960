"""Fits the factor model that a small table's network starts from."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri

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
"""Parts that a fit leaves out in turn, and most of their rows that are looked at."""

HIDE_RATE = 0.3
"""Share of the observed cells that are masked to learn how far to trust the factors."""

TINY = 1e-30

TRUST_ROWS = 80
"""In fewer rows too few cells can be left out to tell."""

PRIOR_CELLS, PRIOR_TRUST = 10.0, 0.9
"""The prior of a column's trust: so many hidden cells that would have it so."""


def fit_factors(
    codec: TableCodec, tokens: np.ndarray, context: np.ndarray,
    excluded_rows: np.ndarray | None = None,
) -> Factors:  # fmt: skip
    """The factors of rows `tokens` `[N, L]`, by EM over their observed cells.

    How far each column may trust them, cells of rows left out of a fit decide.

    Args:
      excluded_rows: `[N, K]` bool, rows that member k does not train on. The factors
        then have a leading axis of K, fitted on each member's rows; the trust is that
        of all rows.
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
    """`[L]` weights that give hidden cells of rows left out the highest likelihood."""
    rng = np.random.default_rng(0)
    fold = rng.permutation(len(tokens)) % FOLDS
    z = mask_tokens(MCAR(rate=HIDE_RATE), tokens, codec.num_values, rng)
    score = context.reshape(*tokens.shape, -1)[..., 0]
    true = np.minimum(tokens.astype(int), codec.num_values - 1)
    log_probability = jax.jit(Factors.log_probability)
    told, share = np.zeros(tokens.shape), np.zeros(tokens.shape)
    for number in range(FOLDS if len(tokens) >= TRUST_ROWS else 0):
        made = _fit(codec, tokens[fold != number], context[fold != number])
        out = np.flatnonzero(fold == number)[: min(FOLD_ROWS, len(tokens) // FOLDS)]
        one_hot = jax.nn.one_hot(z[out].astype(int), codec.num_values)
        p = np.exp(log_probability(made, one_hot, jnp.asarray(score[out])))
        told[out] = np.take_along_axis(p, true[out][..., None], 2)[..., 0]
        share[out] = made.share[np.arange(codec.length)[None], true[out]]
    hidden = (z != tokens) & (share > 0)
    trust = np.full(codec.length, PRIOR_TRUST)
    for _ in range(ITERATIONS):
        own = trust * told
        own = np.where(hidden, own / (own + (1 - trust) * share + TINY), 0.0)
        trust = own.sum(axis=0) + PRIOR_CELLS * PRIOR_TRUST
        trust /= hidden.sum(axis=0) + PRIOR_CELLS
    return trust.astype(np.float32)


def _fit(codec: TableCodec, tokens: np.ndarray, context: np.ndarray) -> Factors:
    """The factors, trusted wholly."""
    scores = context.reshape(*tokens.shape, -1)[..., 0]
    found, x = Coordinates.fit(codec, tokens, scores)
    centre, sd, where = found.centre, found.sd, found.where
    weights, noise = factor_em(x, max(1, min(RANK, x.shape[1] - 1, len(x))))
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
