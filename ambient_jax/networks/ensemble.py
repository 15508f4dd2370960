"""Members of one architecture whose predictions are averaged."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

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

    References:
      Lakshminarayanan et al. 2017 (arXiv 1612.01474).
    """

    member: Denoiser
    size: int

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

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        """The log of the mean probability of each token."""
        logits = jax.vmap(lambda p: bind(self.member, p, context)(z))(params)
        log_p = jax.nn.log_softmax(logits)
        return jax.nn.logsumexp(log_p, axis=0) - jnp.log(self.size)
