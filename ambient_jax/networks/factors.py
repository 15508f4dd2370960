"""What a linear Gaussian model says of a table's hidden cells: where a network starts.

Few rows do not teach a perceptron that two columns move together in a straight line. A
factor model of their normal scores learns it from a few dozen; its answer takes the
place of the marginal shares, from which the network then departs.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Constant = np.ndarray | jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class Factors:
    """`x = W f + noise` with R factors `f ~ N(0, 1)`, by column; float32.

    Attributes:
      weight: `[L, R]` of a number's normal score, as seen; 0 for categories.
      centre: `[L]` mean of the seen normal scores of a number.
      gram: `[L, R, R]` what a visible cell adds to the precision of f.
      pull: `[L, V, R]` what a visible category adds to precision times mean of f.
      loading, noise: `[L, R]`, `[L]` of a number, in units of its own spread.
      tilt: `[L, V, R]` by how much f moves the share of a category.
      edges: `[L, V + 1]` normal scores between a number's tokens.
      share: `[L, V]` of the tokens.
      trust: `[L]` weight of what f tells, in [0, 1]; the rest is that of the shares.
    """

    weight: Constant
    centre: Constant
    gram: Constant
    pull: Constant
    loading: Constant
    noise: Constant
    tilt: Constant
    edges: Constant
    share: Constant
    trust: Constant

    def log_probability(
        self, one_hot: Float[Array, "B L V"], score: Float[Array, "B L"]
    ) -> Float[Array, "B L V"]:
        """`log p(token | visible cells)`; a value that a column lacks has `-inf`.

        Args:
          one_hot: of the visible tokens; zeros where a cell is hidden.
          score: normal scores of the visible numbers.
        """
        mean, spread = self._posterior(one_hot, score)
        numeric = (self.noise > 0)[None, :, None]
        p = jnp.where(numeric, self._numbers(mean, spread), self._categories(mean))
        trust = self.trust[None, :, None]
        return jnp.log(trust * p + (1 - trust) * self.share[None])

    def _posterior(self, one_hot, score):
        """Mean `[B, R]` and covariance `[B, R, R]` of f."""
        visible = one_hot.sum(axis=-1)
        precision = jnp.einsum("bl,lrs->brs", visible, self.gram)
        spread = jnp.linalg.inv(precision + jnp.eye(self.gram.shape[-1])[None])
        told = jnp.einsum("blv,lvr->br", one_hot, self.pull)
        number = visible * (score - self.centre[None])
        told += jnp.einsum("bl,lr->br", number, self.weight)
        return jnp.einsum("brs,bs->br", spread, told), spread

    def _numbers(self, mean, spread):
        """`[B, L, V]`: the Gaussian's mass between the edges of each token."""
        at = jnp.einsum("br,lr->bl", mean, self.loading)[..., None]
        variance = jnp.einsum("lr,brs,ls->bl", self.loading, spread, self.loading)
        noise = jnp.where(self.noise > 0, self.noise, 1.0)  # categories have none
        scale = jnp.sqrt(variance + noise[None])[..., None]
        # Twice the normal distribution function, less one: its error of 1e-7 is far
        # below what the shares leave any token, and `ndtr` costs five times as much.
        below = jax.lax.erf((self.edges[None] - at) / (scale * np.sqrt(2)))
        return jnp.maximum(jnp.diff(below, axis=-1), 0.0) / 2

    def _categories(self, mean):
        """`[B, L, V]`: the shares, moved along f as least squares moves them."""
        moved = self.share[None] + jnp.einsum("br,lvr->blv", mean, self.tilt)
        moved = jnp.maximum(moved, 0.0)
        return moved / moved.sum(axis=-1, keepdims=True)
