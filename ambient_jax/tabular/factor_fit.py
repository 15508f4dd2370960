"""Fits the factor model that a small table's network starts from."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri
from sklearn.utils.extmath import randomized_svd

from ambient_jax.networks.factors import Factors
from ambient_jax.tabular.codec import TableCodec
from ambient_jax.tabular.early_stop import hide_some

RANK = 16
"""Most factors."""

ITERATIONS = 60
FOLDS, FOLD_ROWS = 3, 300
"""Parts that a fit leaves out in turn, and most of their rows that are looked at."""

TINY = 1e-30
LEAST_NOISE = 0.003
NOISE_ROWS, NOISE = 2.0, 0.2
"""The prior of a noise variance: so many rows that had this one."""

TRUST_ROWS = 80
"""In fewer rows too few cells can be left out to tell."""

PRIOR_CELLS, PRIOR_TRUST = 10.0, 0.9
"""The prior of a column's trust: so many hidden cells that would have it so."""


def fit_factors(codec: TableCodec, tokens: np.ndarray, context: np.ndarray) -> Factors:
    """The factors of rows `tokens` `[N, L]`, by EM over their observed cells.

    How far each column may trust them, cells of rows left out of a fit decide.
    """
    trust = _trust(codec, tokens, context)
    return dataclasses.replace(_fit(codec, tokens, context), trust=trust)


def fit_factors_of_members(
    codec: TableCodec, tokens: np.ndarray, context: np.ndarray, left_out: np.ndarray,
    members: int,
) -> Factors:  # fmt: skip
    """Those of each member, from the rows that it does not leave out, `[K, ...]`.

    `trust` is that of all rows: it was told by rows left out already.
    """
    trust = _trust(codec, tokens, context)
    made = []
    for member in range(members):
        rows = left_out != member
        own = _fit(codec, tokens[rows], context[rows])
        made.append(dataclasses.replace(own, trust=trust))
    return jax.tree.map(lambda *parts: np.stack(parts), *made)


def _trust(codec: TableCodec, tokens: np.ndarray, context: np.ndarray) -> np.ndarray:
    """`[L]` weights that give hidden cells of rows left out the highest likelihood."""
    rng = np.random.default_rng(0)
    fold = rng.permutation(len(tokens)) % FOLDS
    z = hide_some(tokens, codec.num_values, rng)
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
    x, centre, sd, where = _matrix(codec, tokens, context)
    weights, noise = _em(x, max(1, min(RANK, x.shape[1] - 1, len(x))))
    length, values, rank = codec.length, codec.num_values, weights.shape[1]
    sizes = {
        "weight": (rank,), "centre": (), "gram": (rank, rank), "pull": (values, rank),
        "loading": (rank,), "noise": (), "tilt": (values, rank),
        "edges": (values + 1,), "share": (values,), "trust": (),
    }  # fmt: skip
    made = Factors(
        **{k: np.zeros((length, *size), np.float32) for k, size in sizes.items()}
    )
    made.edges[:], made.trust[:] = np.inf, 1.0
    for i, column in enumerate(codec.columns):
        share = column.coder.share
        made.share[i, : len(share)] = share
        w, psi = weights[where[i]], noise[where[i]]
        made.gram[i] = (w / psi[:, None]).T @ w
        if column.numeric:
            made.edges[i, : len(share)] = ndtri(np.r_[0.0, np.cumsum(share)[:-1]])
            made.weight[i] = w[0] / psi[0] / sd[where[i]][0]
            made.centre[i] = centre[where[i]][0]
            made.loading[i], made.noise[i] = w[0], psi[0]
        else:
            seen = (np.eye(len(share)) - centre[where[i]]) / sd[where[i]]
            made.pull[i, : len(share)] = seen @ (w / psi[:, None])
            made.tilt[i, : len(share)] = w * sd[where[i]][:, None]
    return made


def _matrix(codec: TableCodec, tokens: np.ndarray, context: np.ndarray):
    """Standardised scores and indicators `[N, D]`, NaN where missing.

    Returns:
      They, their centre and scale `[D]`, and of each column the slice it takes.
    """
    parts, where, at = [], [], 0
    context = context.reshape(*tokens.shape, -1)
    for i, column in enumerate(codec.columns):
        own = tokens[:, i].astype(int)[:, None]
        seen = own < codec.num_values
        cells = context[:, i, :1] if column.numeric else (
            own == np.arange(column.coder.size)
        )  # fmt: skip
        parts.append(np.where(seen, cells, np.nan))
        where.append(slice(at, at + parts[-1].shape[1]))
        at = where[-1].stop
    x = np.concatenate(parts, axis=1).astype(np.float64)
    count = np.isfinite(x).sum(axis=0)
    centre = np.nansum(x, axis=0) / np.maximum(count, 1)
    sd = np.sqrt(np.nansum((x - centre) ** 2, axis=0) / np.maximum(count, 1))
    sd = np.where(sd > 1e-6, sd, 1.0)
    return (x - centre) / sd, centre, sd, where


def _em(x: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[D, rank]` and noise `[D]` of rows `[N, D]` with NaN."""
    seen = np.isfinite(x).astype(np.float64)
    x = np.where(seen > 0, x, 0.0)
    count = seen.sum(axis=0)
    _, size, vectors = randomized_svd(x, rank, random_state=0)
    weights = vectors.T * np.maximum(size / np.sqrt(len(x)), 0.1)
    noise = np.full(x.shape[1], 0.5)
    eye = np.eye(rank)
    for _ in range(ITERATIONS):
        outer = (weights[:, :, None] * weights[:, None, :]).reshape(-1, rank * rank)
        precision = eye + ((seen / noise) @ outer).reshape(-1, rank, rank)
        spread = np.linalg.inv(precision)
        mean = np.einsum("nrs,ns->nr", spread, (x / noise) @ weights)
        second = (spread + mean[:, :, None] * mean[:, None, :]).reshape(len(x), -1)
        a = (seen.T @ second).reshape(-1, rank, rank)
        b = x.T @ mean
        prior = (rank * noise)[:, None, None] * eye
        weights = np.linalg.solve(a + prior, b[..., None])[..., 0]
        rest = (x**2).sum(axis=0) - 2 * (weights * b).sum(axis=1)
        rest += np.einsum("dr,drs,ds->d", weights, a, weights)
        noise = (np.maximum(rest, 0.0) + NOISE_ROWS * NOISE) / (count + NOISE_ROWS)
        noise = np.maximum(noise, LEAST_NOISE)
    size = (weights**2).sum(axis=1) + noise
    return weights / np.sqrt(size)[:, None], noise / size
