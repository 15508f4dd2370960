"""A linear Gaussian factor model of a table, from whose predictions a network starts.

A few rows do not teach a perceptron that two columns have a linear relation. A factor
model of their normal scores learns it from a few dozen rows. Its predictions replace
the marginal shares as the logits that the network starts from and learns to correct.
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
    """A factor model `x = W f + noise` of the columns, with R factors `f ~ N(0, I)`.

    The normal score of a number and the indicator of each category are linear in `f`.
    Given the visible cells, `f` is Gaussian with precision `P = I + sum_i precision_i`
    and mean `P^-1 sum_i evidence_i`, summed over the visible columns i. All arrays are
    float32.

    Attributes:
      number_evidence: `[L, R]` evidence per unit of a number's centred normal score; 0
        for categories.
      centre: `[L]` mean of a number's observed normal scores; 0 for categories.
      precision: `[L, R, R]` what a visible cell adds to the precision of f.
      category_evidence: `[L, V, R]` evidence of each category; 0 for numbers.
      loading: `[L, R]` row of W of a number whose score is scaled to unit variance; 0
        for categories.
      noise: `[L]` variance of the noise of a number, on the same scale; 0 for
        categories.
      share_slope: `[L, V, R]` change of the share of a category per unit of f; 0 for
        numbers.
      bin_edges: `[L, V + 1]` edges of a number's bins, on the scale of `loading`;
        infinite at both ends and beyond the bins of the column.
      share: `[L, V]` marginal share of each token; 0 beyond those of the column.
      mixture_weight: `[L]` in [0, 1], weight of the factor model in its mixture with
        the marginal shares.

    References:
      Bishop 2006, Pattern Recognition and Machine Learning, sec. 12.2.4.
    """

    number_evidence: Constant
    centre: Constant
    precision: Constant
    category_evidence: Constant
    loading: Constant
    noise: Constant
    share_slope: Constant
    bin_edges: Constant
    share: Constant
    mixture_weight: Constant

    def log_probability(
        self, one_hot: Float[Array, "B L V"], score: Float[Array, "B L"]
    ) -> Float[Array, "B L V"]:
        """Log probability of each token given the visible cells of its row.

        `log(w p_factors(x_i | visible) + (1 - w) share_i)` with the mixture weight `w`
        of the column.

        Args:
          one_hot: one-hot vectors of the visible tokens; zeros where a cell is masked.
          score: normal scores of the visible numbers; ignored elsewhere.

        Returns:
          Log probabilities; `-inf` for values that a column does not have.
        """
        mean, covariance = self._posterior(one_hot, score)
        numeric = (self.noise > 0)[None, :, None]
        p = jnp.where(numeric, self._numbers(mean, covariance), self._categories(mean))
        weight = self.mixture_weight[None, :, None]
        return jnp.log(weight * p + (1 - weight) * self.share[None])

    def _posterior(self, one_hot, score):
        """Mean `[B, R]` and covariance `[B, R, R]` of f given the visible cells."""
        visible = one_hot.sum(axis=-1)
        eye = jnp.eye(self.precision.shape[-1])
        precision = jnp.einsum("bl,lrs->brs", visible, self.precision) + eye[None]
        # `jnp.linalg.inv` takes two to three times as long to compile.
        root = jax.lax.linalg.cholesky(precision, symmetrize_input=False)
        inverse = jax.lax.linalg.triangular_solve(
            root, jnp.broadcast_to(eye, root.shape), left_side=True, lower=True
        )
        covariance = jnp.einsum("bts,btr->bsr", inverse, inverse)
        evidence = jnp.einsum("blv,lvr->br", one_hot, self.category_evidence)
        centred = visible * (score - self.centre[None])
        evidence += jnp.einsum("bl,lr->br", centred, self.number_evidence)
        return jnp.einsum("brs,bs->br", covariance, evidence), covariance

    def _numbers(self, mean, covariance):
        """`[B, L, V]` Gaussian mass between the edges of each bin."""
        predicted = jnp.einsum("br,lr->bl", mean, self.loading)[..., None]
        variance = jnp.einsum("lr,brs,ls->bl", self.loading, covariance, self.loading)
        noise = jnp.where(self.noise > 0, self.noise, 1.0)  # categories have none
        scale = jnp.sqrt(variance + noise[None])[..., None]
        # erf(x / sqrt 2) = 2 Phi(x) - 1. Its error of 1e-7 is far below the probability
        # that the marginal shares give each token, and `ndtr` costs five times as much.
        mass = jax.lax.erf((self.bin_edges[None] - predicted) / (scale * np.sqrt(2)))
        return jnp.maximum(jnp.diff(mass, axis=-1), 0.0) / 2

    def _categories(self, mean):
        """`[B, L, V]` shares of the categories by least squares on f, made positive."""
        linear = self.share[None] + jnp.einsum("br,lvr->blv", mean, self.share_slope)
        positive = jnp.maximum(linear, 0.0)
        return positive / positive.sum(axis=-1, keepdims=True)
