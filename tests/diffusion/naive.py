"""Naive versions of the family's functions: loops in NumPy, one token after another."""

import numpy as np


def softmax(logits):
    p = np.exp(logits)
    return p / p.sum(axis=-1, keepdims=True)


def each(function, *arrays):
    """`function` of the scalars at each place, one after another."""
    arrays = np.broadcast_arrays(*arrays)
    out = [function(*scalars) for scalars in zip(*(a.flat for a in arrays))]
    return np.array(out).reshape(arrays[0].shape)


def draw_values(u, logits):
    out = np.zeros(u.shape, int)
    for place in np.ndindex(u.shape):
        total = np.cumsum(softmax(logits[place].astype(float)))
        out[place] = np.searchsorted(total, u[place], side="right")
    return out


def cross_entropy(logits, x):
    mask = logits.shape[-1]
    out = np.zeros(x.shape)
    for b, i in np.ndindex(x.shape):
        if x[b, i] != mask:
            out[b, i] = -np.log(softmax(logits[b, i])[x[b, i]])
    return out


def easy_loss(logits, x, z, weight, row_weight):
    mask = logits.shape[-1]
    total, divisor = 0.0, 0.0
    nats = cross_entropy(logits, x)
    for b, i in np.ndindex(x.shape):
        divisor += weight[b, i] * (x[b, i] != mask)
        if z[b, i] == mask and x[b, i] != mask:
            total += row_weight[b, 0] * weight[b, i] * nats[b, i]
    return total / divisor


def kl(p, q):
    return sum(a * np.log(a / b) for a, b in zip(p, q) if a > 0)


def random_ranks(u, where):
    ranks = np.zeros(u.shape, int)
    for b in range(len(u)):
        places = sorted(range(u.shape[1]), key=lambda i: (not where[b, i], u[b, i]))
        inside = [i for i in places if where[b, i]]
        outside = [i for i in range(u.shape[1]) if not where[b, i]]  # ties: in place
        ranks[b, inside + outside] = np.arange(u.shape[1])
    return ranks
