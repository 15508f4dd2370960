"""Ensembles: networks of one architecture whose predictions are averaged."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ambient_jax.networks.flat import FlatParams
from ambient_jax.types import Context, Denoiser, Logits, Params, RootKey, Tokens, bind


@partial(
    jax.tree_util.register_dataclass, data_fields=["member", "member_fields"],
    meta_fields=["size"],
)  # fmt: skip
@dataclass(frozen=True, eq=False, kw_only=True)
class Ensemble:
    """A `Denoiser` that predicts the mean of the probabilities of K members.

    `p(x_i | z) = 1/K sum_k p_k(x_i | z)`. Its parameters are those of the members,
    stacked along a leading axis of length K. Train it on the mean of the losses of its
    members, not on the loss of the mean prediction, under which members would rely on
    each other.

    Attributes:
      member: the architecture that all members share.
      size: number K of members.
      member_fields: values for the dataclass fields of `member` that differ between the
        members, stacked along a leading axis of length K.

    References:
      Lakshminarayanan et al. 2017 (arXiv 1612.01474).
    """

    member: Denoiser
    size: int
    member_fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """L."""
        return self.member.length

    @property
    def num_values(self) -> int:
        """V."""
        return self.member.num_values

    def init(self, key: RootKey) -> Params:
        """Draws the parameters of all members, each with its own key."""
        return jax.vmap(self.member.init)(jax.random.split(key, self.size))

    def member_with(self, fields: Mapping[str, Any]) -> Denoiser:
        """One member: the architecture with its `fields`, an entry of `member_fields`.

        Args:
          fields: values without the leading axis of length K.
        """
        if not fields:
            return self.member
        if isinstance(self.member, FlatParams):
            network = dataclasses.replace(cast(Any, self.member.denoiser), **fields)
            return FlatParams(denoiser=network)
        return dataclasses.replace(cast(Any, self.member), **fields)

    def members(self, params: Params) -> list[tuple[Denoiser, Params]]:
        """Returns the K networks and their parameters."""

        def entry(tree, k):
            return jax.tree.map(lambda leaf: leaf[k], tree)

        return [(self.member_with(entry(self.member_fields, k)), entry(params, k))
                for k in range(self.size)]  # fmt: skip

    def member_log_probabilities(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Float[Array, "K B L V"]:
        """Log probabilities `log p_k(x_i | z)` of all members; see `Denoiser.apply`."""

        def of_member(params, fields):
            denoise = bind(self.member_with(fields), params, context)
            return jax.nn.log_softmax(denoise(z))

        return jax.vmap(of_member)(params, self.member_fields)

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        """The log of the mean probability; see `Denoiser.apply`."""
        log_p = self.member_log_probabilities(params, z, context)
        return jax.nn.logsumexp(log_p, axis=0) - jnp.log(self.size)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, kw_only=True)
class OutOfFoldEnsemble:
    """A `Denoiser` that averages, per row, the members that did not train on the row.

    Its context is that of the ensemble followed by K columns, which are 1 for the
    members that did not train on the row and 0 for the others; `append_to_context`
    makes it. Each row needs at least one such member.

    Attributes:
      ensemble: the ensemble whose members predict.
    """

    ensemble: Ensemble

    @property
    def length(self) -> int:
        """L."""
        return self.ensemble.length

    @property
    def num_values(self) -> int:
        """V."""
        return self.ensemble.num_values

    @staticmethod
    def append_to_context(context: np.ndarray, excluded_rows: np.ndarray) -> np.ndarray:
        """Appends to each row's context the members that did not train on it.

        Args:
          context: `[N, F]`, the context that the ensemble reads.
          excluded_rows: `[N, K]` bool; true where member k did not train on row n.

        Returns:
          `[N, F + K]` float32.
        """
        return np.concatenate([context, excluded_rows], axis=1, dtype=np.float32)

    def init(self, key: RootKey) -> Params:
        """Draws the parameters of the ensemble."""
        return self.ensemble.init(key)

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        """The log of the mean probability over members that did not train on a row."""
        assert context is not None, "the context says which members to average"
        size = self.ensemble.size
        averaged = context[:, -size:].T[:, :, None, None]
        log_p = self.ensemble.member_log_probabilities(params, z, context[:, :-size])
        total = jax.nn.logsumexp(log_p, axis=0, b=averaged)
        return total - jnp.log(averaged.sum(axis=0))
