"""The network of tables: one token per column, and the exact values of numbers."""

from dataclasses import dataclass, field
from functools import partial
from typing import Literal, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ambient_jax.networks.blocks import Attention, Dtype, Mlp
from ambient_jax.networks.context import CONTEXT_PER_COLUMN
from ambient_jax.networks.factors import Constant, Factors
from ambient_jax.types import Context, Logits, Params, RootKey, Tokens

Mixer = Literal["dense", "attention"]

ABSENT_LOGIT = -1e9
"""Logit of a value that a column does not have: its probability is 0 in float32."""

NUM_COSINES = 16
"""Cosines of the rank that the logits of a numeric column are built from. The shortest
changes sign with every sixteenth of the column's values."""

FREQUENCIES = (0.5, 1.0, 2.0, 4.0)
"""Frequencies, in radians per unit of the normal score, of the sines and cosines that
embed a number: periods from 12 standard deviations to 1.6."""

READOUT_WIDTH = 32
"""Channels of each column from which its logits are read."""

NUM_HEADS = 4
"""Attention heads of the `attention` mixer."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class ColumnTables:
    """Constants of the columns, indexed by column and token; see `of`.

    Attributes:
      log_share: `[L, V]` log of each token's marginal share; `ABSENT_LOGIT` for values
        that a column does not have.
      numeric: `[L]` bool: true for columns of numbers, whose tokens are ordered.
      basis: `[L, NUM_COSINES, V]` smooth functions of the rank; 0 for categories.
      score: `[L, V, 2]` normal and standard score of the mean of a token's numbers; 0
        for categories.
    """

    log_share: Constant
    numeric: Constant
    basis: Constant
    score: Constant

    @classmethod
    def of(
        cls, *, log_share: np.ndarray, rank: np.ndarray, score: np.ndarray
    ) -> "ColumnTables":
        """Returns the constants; the basis is `cos(pi j rank) / sqrt(j)`.

        j runs from 1 to NUM_COSINES: the smoother, the larger.

        Args:
          log_share, score: see the attributes.
          rank: `[L, V]` middle of the span of the marginal distribution that a token
            covers, in [0, 1]; NaN for categories, which have no order.
        """
        order = np.arange(1, NUM_COSINES + 1)[None, :, None]
        cosines = np.cos(np.pi * order * rank[:, None, :]) / np.sqrt(order)
        return cls(
            log_share=log_share.astype(np.float32), numeric=~np.isnan(rank[:, 0]),
            basis=np.nan_to_num(cosines).astype(np.float32),
            score=score.astype(np.float32),
        )  # fmt: skip


class ColumnModule(nn.Module):
    """Maps tokens `[B, L]` and their context to logits `[B, L, V]`.

    `ColumnNetwork` has the fields.
    """

    tables: ColumnTables
    factors: Factors | None
    mixer: Mixer
    width: int
    depth: int
    embed: int
    dtype: Dtype

    @nn.compact
    def __call__(
        self, z: Int[Array, "B L"], context: Float[Array, "B F"]
    ) -> Float[Array, "B L V"]:
        one_hot = jax.nn.one_hot(z, self.tables.log_share.shape[1] + 1)
        scores, numeric = self._scores(z, one_hot, context)
        h = self._embed(one_hot, scores, numeric).astype(self.dtype)
        h = self._mix_dense(h) if self.mixer == "dense" else self._mix_attention(h)
        prior = self._prior_logits(one_hot, scores)
        return self._read_out(h.astype(jnp.float32), prior)

    def _scores(self, z, one_hot, context):
        """Scores `[B, L, 2]` of the cells, and `[B, L, 1]` bool: visible numbers.

        The scores are exact where the context has them, otherwise those of the token.
        """
        length, values = self.tables.log_share.shape
        exact = context.reshape(len(z), length, CONTEXT_PER_COLUMN)
        visible = (z < values)[..., None]
        numeric = visible & self.tables.numeric[None, :, None]
        known = numeric & (exact[..., 2:] > 0)
        table = self.tables.score
        of_token = jnp.einsum("blv,lvs->bls", one_hot[..., :values], table)
        return jnp.where(known, exact[..., :2], of_token), numeric

    def _embed(self, one_hot, scores, numeric):
        """`[B, L, embed]` embeddings of the tokens plus those of the scores."""
        length, values = self.tables.log_share.shape
        table = self.param(
            "value", nn.initializers.normal(0.3), (length, values + 1, self.embed)
        )
        angle = scores[..., :1] * jnp.asarray(FREQUENCIES)[None, None]
        features = jnp.concatenate([scores, jnp.sin(angle), jnp.cos(angle)], axis=-1)
        features = jnp.where(numeric, features, 0.0)
        weight = self.param(
            "number",
            nn.initializers.normal(0.3),
            (length, features.shape[-1], self.embed),
        )
        return jnp.einsum("blv,lve->ble", one_hot, table) + jnp.einsum(
            "blf,lfe->ble", features, weight
        )

    def _prior_logits(self, one_hot, scores):
        """Logits that the network corrects: of the factor model or the shares."""
        if self.factors is None:
            return self.tables.log_share[None]
        return self.factors.log_probability(one_hot[..., :-1], scores[..., 0])

    def _mix_dense(self, h):
        """`[B, L, READOUT_WIDTH]` by residual perceptrons on one vector per row."""
        rows, length = h.shape[:2]
        h = nn.Dense(self.width, dtype=self.dtype)(h.reshape(rows, -1))
        for _ in range(self.depth):
            h = Mlp(2, self.dtype)(h)
        h = nn.LayerNorm(dtype=self.dtype)(h)
        h = nn.Dense(length * READOUT_WIDTH, dtype=self.dtype)(h)
        return h.reshape(rows, length, READOUT_WIDTH)

    def _mix_attention(self, h):
        """`[B, L, READOUT_WIDTH]` by attention between columns.

        On a CPU each step is slower than a dense one, and more steps are needed.
        """
        h = nn.Dense(self.width, dtype=self.dtype)(h)
        for _ in range(self.depth):
            h = Mlp(2, self.dtype)(Attention(NUM_HEADS, self.dtype)(h))
        h = nn.LayerNorm(dtype=self.dtype)(h)
        return nn.Dense(READOUT_WIDTH, dtype=self.dtype)(h)

    def _read_out(self, h, prior):
        """Prior logits plus smooth functions of the rank plus one term per token."""
        length, values = self.tables.log_share.shape
        smooth = self.param(
            "smooth",
            nn.initializers.normal(READOUT_WIDTH**-0.5),
            (length, READOUT_WIDTH, NUM_COSINES),
        )
        free = self.param(
            "free", nn.initializers.zeros, (length, READOUT_WIDTH, values)
        )
        out = free + jnp.einsum("lrj,ljv->lrv", smooth, self.tables.basis)
        correction = jnp.einsum("blr,lrv->blv", h, out)
        present = self.tables.log_share[None] > ABSENT_LOGIT / 2
        return jnp.where(present, correction + prior, ABSENT_LOGIT)


@partial(
    jax.tree_util.register_dataclass, data_fields=["tables", "factors"],
    meta_fields=["mixer", "width", "depth", "embed", "dtype"],
)  # fmt: skip
@dataclass(frozen=True, eq=False, kw_only=True)
class ColumnNetwork:
    """A network that implements the `Denoiser` protocol for tables.

    Its context is `[B, 3 L]`: the normal score, the standard score and 1 for each
    column whose exact number is known, any three values that end with 0 for the others.
    It is used only where the token is visible. A visible number that is not known
    exactly (an imputed one) has the scores of its token.

    Attributes:
      tables: constants of the columns.
      factors: factor model whose predictions the network corrects; None corrects the
        marginal shares.
      mixer: `dense` (residual perceptrons over all columns) or `attention`.
      width: channels of the mixer; `NUM_HEADS` must divide it for `attention`.
      depth: number of residual blocks.
      embed: channels of the embedding of each column.
      dtype: compute type; parameters and logits are float32 whatever it is.
    """

    tables: ColumnTables = field(repr=False)
    factors: Factors | None = field(default=None, repr=False)
    mixer: Mixer = "dense"
    width: int = 256
    depth: int = 3
    embed: int = 24
    dtype: str = "float32"

    @property
    def length(self) -> int:
        """L."""
        return self.tables.log_share.shape[0]

    @property
    def num_values(self) -> int:
        """V."""
        return self.tables.log_share.shape[1]

    @property
    def module(self) -> ColumnModule:
        """The Flax module."""
        return ColumnModule(
            self.tables, self.factors, self.mixer, self.width, self.depth, self.embed,
            jnp.dtype(self.dtype),
        )  # fmt: skip

    def init(self, key: RootKey) -> Params:
        """Draws float32 parameters."""
        z = jnp.zeros((1, self.length), jnp.int32)
        context = jnp.zeros((1, CONTEXT_PER_COLUMN * self.length), jnp.float32)
        return jax.jit(self.module.init)(key, z, context)["params"]

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        """See `Denoiser.apply`; without a context no number is known exactly."""
        if context is None:
            shape = (z.shape[0], CONTEXT_PER_COLUMN * self.length)
            context = jnp.zeros(shape, jnp.float32)
        logits = self.module.apply({"params": params}, z.astype(jnp.int32), context)
        return cast(Logits, logits)
