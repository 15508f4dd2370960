"""The network of tables: one token per column, exact numbers beside their bins."""

from dataclasses import dataclass, field
from typing import Literal, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ambient_jax.compilation import jit
from ambient_jax.networks.blocks import Attention, Dtype, Mlp
from ambient_jax.networks.factors import Factors
from ambient_jax.types import Context, Logits, Params, RootKey, Tokens

Mixer = Literal["dense", "attention"]
CONTEXT_PER_COLUMN = 3
"""Features of a column in the context: normal score, standard score, 1 if known."""

NEVER = -1e9
"""Logit of a value that a column does not have: probability zero in float32."""

ORDINAL = 16
"""Cosines over a column's bins that the read-out is built from."""

FREQUENCIES = (0.5, 1.0, 2.0, 4.0)
"""Of the sines that a number's normal score is told by."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ColumnTables:
    """Constants of the columns, indexed by column and token.

    Attributes:
      log_share: `[L, V]` log share of each token, `NEVER` beyond a column's own.
      rank: `[L, V]` middle of each token's span of the marginal distribution, in
        [0, 1]; NaN for categories, which have no order.
      score: `[L, V, 2]` normal and standard score of a token's mean; 0 for categories.
    """

    log_share: np.ndarray
    rank: np.ndarray
    score: np.ndarray

    @property
    def numeric(self) -> np.ndarray:
        """`[L]` bool: columns whose tokens are ordered."""
        return ~np.isnan(self.rank[:, 0])

    @property
    def basis(self) -> np.ndarray:
        """`[L, ORDINAL, V]` smooth functions of the rank; 0 for categories."""
        order = np.arange(1, ORDINAL + 1)[None, :, None]
        cosines = np.cos(np.pi * order * self.rank[:, None, :])
        return np.nan_to_num(cosines / np.sqrt(order)).astype(np.float32)


class ColumnModule(nn.Module):
    """See `ColumnNetwork` for the fields."""

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
        number, numeric = self._numbers(z, one_hot, context)
        h = self._embed(one_hot, number, numeric).astype(self.dtype)
        h = self._mix_dense(h) if self.mixer == "dense" else self._mix_attention(h)
        return self._read_out(h.astype(jnp.float32), self._start(one_hot, number))

    def _numbers(self, z, one_hot, context):
        """`[B, L, 2]` normal and standard score, and `[B, L, 1]` where they are told.

        Exact where the context knows the cell, else of its token's mean.
        """
        length, values = self.tables.log_share.shape
        told = context.reshape(len(z), length, CONTEXT_PER_COLUMN)
        visible = (z < values)[..., None]
        numeric = visible & jnp.asarray(self.tables.numeric)[None, :, None]
        known = numeric & (told[..., 2:] > 0)
        scores = jnp.asarray(self.tables.score, jnp.float32)
        middle = jnp.einsum("blv,lvs->bls", one_hot[..., :values], scores)
        return jnp.where(known, told[..., :2], middle), numeric

    def _embed(self, one_hot, number, numeric):
        """`[B, L, embed]`: a table look-up, and for numbers their exact value."""
        length, values = self.tables.log_share.shape
        table = self.param(
            "value", nn.initializers.normal(0.3), (length, values + 1, self.embed)
        )
        angle = number[..., :1] * jnp.asarray(FREQUENCIES)[None, None]
        features = jnp.concatenate([number, jnp.sin(angle), jnp.cos(angle)], axis=-1)
        features = jnp.where(numeric, features, 0.0)
        weight = self.param(
            "number",
            nn.initializers.normal(0.3),
            (length, features.shape[-1], self.embed),
        )
        return jnp.einsum("blv,lve->ble", one_hot, table) + jnp.einsum(
            "blf,lfe->ble", features, weight
        )

    def _start(self, one_hot, number):
        """Logits before anything is learned: of the factors, or marginal shares."""
        if self.factors is None:
            return jnp.asarray(self.tables.log_share, jnp.float32)[None]
        return self.factors.log_probability(one_hot[..., :-1], number[..., 0])

    def _mix_dense(self, h):
        """One vector per row through residual perceptrons; then back to columns."""
        rows, length = h.shape[:2]
        h = nn.Dense(self.width, dtype=self.dtype)(h.reshape(rows, -1))
        for _ in range(self.depth):
            h = Mlp(2, self.dtype)(h)
        h = nn.LayerNorm(dtype=self.dtype)(h)
        return nn.Dense(length * READ, dtype=self.dtype)(h).reshape(rows, length, READ)

    def _mix_attention(self, h):
        """Attention between columns; slower, and slower to learn, on a CPU."""
        h = nn.Dense(self.width, dtype=self.dtype)(h)
        for _ in range(self.depth):
            h = Mlp(2, self.dtype)(Attention(4, self.dtype)(h))
        h = nn.LayerNorm(dtype=self.dtype)(h)
        return nn.Dense(READ, dtype=self.dtype)(h)

    def _read_out(self, h, start):
        """Logits: the start, moved along smooth functions and token by token."""
        length, values = self.tables.log_share.shape
        smooth = self.param(
            "smooth", nn.initializers.normal(READ**-0.5), (length, READ, ORDINAL)
        )
        free = self.param("free", nn.initializers.zeros, (length, READ, values))
        out = free + jnp.einsum("lrj,ljv->lrv", smooth, jnp.asarray(self.tables.basis))
        moved = jnp.einsum("blr,lrv->blv", h, out)
        shares = jnp.asarray(self.tables.log_share, jnp.float32)[None]
        return jnp.where(shares > NEVER / 2, moved + start, NEVER)


READ = 32
"""Channels per column that its logits are read from."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ColumnNetwork:
    """Denoiser for tables (`Denoiser` protocol). `context` is `[B, 3 L]`.

    The context of a column is (normal score, standard score, known). It is used only
    where the token is visible and known is 1; a visible token whose number is not
    known (an imputed one) is told by its bin's mean.

    Attributes:
      tables: constants of the columns.
      factors: what it starts from; None: the marginal shares.
      mixer: `dense` (a residual perceptron over all columns) or `attention`.
      width: channels; 4 must divide it for `attention`.
      depth: residual blocks.
      embed: channels of one column's embedding.
      dtype: compute type; parameters and logits are float32 anyway.
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
        return ColumnModule(
            self.tables, self.factors, self.mixer, self.width, self.depth, self.embed,
            jnp.dtype(self.dtype),
        )  # fmt: skip

    def init(self, key: RootKey) -> Params:
        z = jnp.zeros((1, self.length), jnp.int32)
        context = jnp.zeros((1, CONTEXT_PER_COLUMN * self.length), jnp.float32)
        return jit(self.module.init)(key, z, context)["params"]

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        if context is None:
            shape = (z.shape[0], CONTEXT_PER_COLUMN * self.length)
            context = jnp.zeros(shape, jnp.float32)
        logits = self.module.apply({"params": params}, z.astype(jnp.int32), context)
        return cast(Logits, logits)
