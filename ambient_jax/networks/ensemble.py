"""Members of one architecture whose predictions are averaged."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ambient_jax.types import Context, Denoiser, Logits, Params, RootKey, Tokens, bind


@dataclass(frozen=True, eq=False, kw_only=True)
class Ensemble:
    """The mean of its members' probabilities (`Denoiser` protocol).

    Parameters are the members', with a leading axis of `size`. Training must not
    minimise the loss of the mean, which lets members lean on each other: `Objective`
    takes the mean of their losses.

    Attributes:
      member: the network of each.
      size: how many.
      own: fields of `member` that differ between them, with a leading axis of `size`.

    References:
      Lakshminarayanan et al. 2017 (arXiv 1612.01474).
    """

    member: Denoiser
    size: int
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """L."""
        return self.member.length

    @property
    def num_values(self) -> int:
        """V."""
        return self.member.num_values

    def init(self, key: RootKey) -> Params:
        return jax.vmap(self.member.init)(jax.random.split(key, self.size))

    def with_own(self, own: Mapping[str, Any]) -> Denoiser:
        """The member whose own fields those are."""
        if not own:
            return self.member
        return dataclasses.replace(cast(Any, self.member), **own)

    def each(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Float[Array, "K B L V"]:
        """Log probabilities that each member gives each token."""

        def one(params, own):
            return jax.nn.log_softmax(bind(self.with_own(own), params, context)(z))

        return jax.vmap(one)(params, self.own)

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        """The log of the mean probability of each token."""
        log_p = self.each(params, z, context)
        return jax.nn.logsumexp(log_p, axis=0) - jnp.log(self.size)


@dataclass(frozen=True, eq=False, kw_only=True)
class OutOfFoldEnsemble:
    """Answers each row by the mean of the members that have not learned from it.

    A `Denoiser` whose context has K columns more than the ensemble's, the last: 1 for
    those members, of which each row has one at least. See `beside`.
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
    def beside(context: np.ndarray, excluded_rows: np.ndarray) -> np.ndarray:
        """`context [N, F]` with `excluded_rows [N, K]`: `[N, F + K]` float32."""
        return np.concatenate([context, excluded_rows], axis=1, dtype=np.float32)

    def init(self, key: RootKey) -> Params:
        return self.ensemble.init(key)

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        assert context is not None, "the context says which members answer"
        size = self.ensemble.size
        answers = context[:, -size:].T[:, :, None, None]
        each = self.ensemble.each(params, z, context[:, :-size])
        total = jax.nn.logsumexp(each, axis=0, b=answers)
        return total - jnp.log(answers.sum(axis=0))
