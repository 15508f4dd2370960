"""Joints small enough to enumerate, and a network that is a look-up table."""

import itertools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np


def joint(length: int, seed: int = 3, sharpness: float = 1.5) -> np.ndarray:
    """A random joint `[2] * length`, far from independent and nowhere zero."""
    rng = np.random.default_rng(seed)
    p = np.exp(sharpness * rng.normal(size=(2,) * length))
    return p / p.sum()


def rows_of(p: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` rows `[n, L]` drawn from the joint."""
    cells = rng.choice(p.size, size=n, p=p.ravel())
    return np.stack(np.unravel_index(cells, p.shape), axis=1).astype(np.uint8)


def conditional(p: np.ndarray, z: tuple[int, ...]) -> np.ndarray:
    """The joint of all tokens given the visible ones of `z` (2 = masked)."""
    index = tuple(slice(None) if v == 2 else slice(v, v + 1) for v in z)
    out = np.zeros_like(p)
    out[index] = p[index]
    return out / out.sum()


def all_states(length: int, symbols: int = 3) -> np.ndarray:
    """Every row `[symbols ** length, length]`, in the order of base-3 numbers."""
    return np.array(list(itertools.product(range(symbols), repeat=length)))


@dataclass(frozen=True)
class Table:
    """Denoiser `params = logits[3 ** L, L, 2]`: one entry per partially masked row."""

    length: int
    num_values: int = 2

    def init(self, key):
        return jnp.zeros((3**self.length, self.length, 2), jnp.float32)

    def apply(self, params, z):
        base = 3 ** np.arange(self.length)[::-1]
        return params[jnp.sum(z * base[None], axis=-1)]

    @staticmethod
    def exact(p: np.ndarray):
        """`(network, params)` that gives the true conditionals of `p`."""
        length = p.ndim
        logits = np.zeros((3**length, length, 2), np.float32)
        for k, z in enumerate(all_states(length)):
            given = conditional(p, tuple(z))
            for i in range(length):
                axes = tuple(a for a in range(length) if a != i)
                logits[k, i] = np.log(np.maximum(given.sum(axis=axes), 1e-30))
        return Table(length), jnp.asarray(logits)


def model_joint(params, length: int) -> np.ndarray:
    """The joint that a table generates, one token at a time, mean over all orders."""
    logits = np.asarray(params, np.float64)
    logp = logits - np.logaddexp(logits[..., :1], logits[..., 1:])
    base = 3 ** np.arange(length)[::-1]
    total = np.zeros((2,) * length)
    orders = list(itertools.permutations(range(length)))
    for x in itertools.product(range(2), repeat=length):
        values = np.array(x)
        for order in orders:
            z, logq = np.full(length, 2), 0.0
            for i in order:
                logq += logp[z @ base, i, x[i]]
                z[i] = values[i]
            total[x] += np.exp(logq) / len(orders)
    return total


def kl(p: np.ndarray, q: np.ndarray) -> float:
    """`KL(p || q)` in nats."""
    return float(np.sum(p * (np.log(p) - np.log(q))))
