"""Constants of a small table: numbers first, then categories."""

import numpy as np

from ambient_jax.networks.column_network import ABSENT_LOGIT, ColumnTables
from ambient_jax.networks.factors import Factors

RANK = 2


def toy_tables(length=3, values=5, numbers=2, absent=1):
    """Tables whose last column has no use for the last `absent` values."""
    rng = np.random.default_rng(0)
    share = rng.random((length, values)) + 0.5
    share[-1, values - absent :] = 0
    share /= share.sum(axis=1, keepdims=True)
    rank = np.cumsum(share, axis=1) - share / 2
    rank[numbers:] = np.nan
    score = rng.normal(size=(length, values, 2))
    score[numbers:] = 0
    log_share = np.where(share > 0, np.log(np.maximum(share, 1e-9)), ABSENT_LOGIT)
    return ColumnTables.of(log_share=log_share, rank=rank, score=score)


def toy_factors(tables):
    """A factor model of the columns of `tables` with `RANK` factors."""
    length, values = tables.log_share.shape
    share = np.where(tables.log_share > ABSENT_LOGIT / 2, np.exp(tables.log_share), 0)
    numeric = tables.numeric.astype(np.float32)
    rng = np.random.default_rng(1)
    loading = 0.5 * rng.normal(size=(length, RANK))
    evidence = rng.normal(size=(length, values, RANK))
    edges = np.tile(np.r_[-np.inf, np.linspace(-1, 1, values - 1), np.inf], (length, 1))
    fields = {
        "number_evidence": loading * numeric[:, None],
        "centre": 0.1 * numeric,
        "precision": np.einsum("lr,ls->lrs", loading, loading),
        "category_evidence": evidence * (1 - numeric)[:, None, None],
        "loading": loading * numeric[:, None],
        "noise": 0.5 * numeric,
        "share_slope": 0.1 * (evidence * share[..., None])
        * (1 - numeric)[:, None, None],
        "bin_edges": edges,
        "share": share,
        "mixture_weight": np.full(length, 0.8),
    }  # fmt: skip
    return Factors(**{name: np.float32(array) for name, array in fields.items()})
