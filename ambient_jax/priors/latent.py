"""A latent-variable prior, fitted by the likelihood of the observed tokens alone."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from ambient_jax.networks.decoder import Decoder, decoder_log_probabilities
from ambient_jax.priors import products
from ambient_jax.priors.marginals import log_marginals
from ambient_jax.priors.products import Components, MixturePrior
from ambient_jax.types import Params, RootKey, Tokens

MAX_BYTES = 2**28
"""Most memory that the components of a prior take, 256 MiB."""


def component_bytes(decoder: Decoder) -> int:
    """Returns the memory of one component, float32."""
    return 4 * decoder.length * decoder.num_values


@dataclass(frozen=True, kw_only=True)
class LatentPrior(MixturePrior):
    """`p(x) = E_z prod_i p(x_i | z)` with `z ~ N(0, I)` (`family.Prior`).

    The expectation is a mean over points z that are shared by all rows, so that the
    likelihood of a batch is one matrix product and no encoder is needed. It is the
    importance-weighted bound with the prior as the proposal; where few tokens of a row
    are observed the posterior of z is wide and the bound tight. Several decoders that
    start from different parameters are fitted side by side and make one mixture.

    Attributes:
      decoder: the network; without hidden layers the prior is factor analysis.
      members: number of decoders.
      num_steps: steps of the fit.
      batch_size: rows of a step.
      fit_points: points z of a step for each member, drawn anew in each step.
      points: points z of the fitted mixture, over all members.
      learning_rate: at the first step; it falls to 2 % of it.
      weight_decay: of the decoders, times the learning rate.

    Raises:
      ValueError: the components would take more than `MAX_BYTES`.

    References:
      Burda et al. 2016 (arXiv 1509.00519), eq. 8; with missing entries Mattei and
      Frellsen 2019 (arXiv 1812.02633), eq. 6.
    """

    decoder: Decoder
    members: int = 4
    num_steps: int = 400
    batch_size: int = 512
    fit_points: int = 2048
    points: int = 16384
    learning_rate: float = 2e-3
    weight_decay: float = 1.0

    def __post_init__(self) -> None:
        needed, most = component_bytes(self.decoder), MAX_BYTES
        if self.points * needed > most:
            raise ValueError(
                f"points={self.points} needs {self.points * needed / 2**20:.0f} MiB of "
                f"memory; at most {most // needed} fit {most >> 20} MiB"
            )
        if self.points < self.members or self.members < 1:
            raise ValueError("members must be at least 1, and points not below it")

    def optimizer(self) -> optax.GradientTransformation:
        """AdamW with a rate that falls along a cosine to 2 % of its peak."""
        rate = optax.cosine_decay_schedule(self.learning_rate, self.num_steps, 0.02)
        return optax.adamw(
            rate, b2=0.99, weight_decay=self.weight_decay,
            mask={"marginal": False, "decoders": True},
        )  # fmt: skip

    def init(self, rows: np.ndarray, key: RootKey) -> Params:
        """Returns random decoders about the marginals of the rows."""
        marginal = jnp.asarray(log_marginals(rows, self.decoder.num_values))
        keys = jax.random.split(key, self.members)
        return {"marginal": marginal, "decoders": jax.vmap(self.decoder.init)(keys)}

    def loss(self, params: Params, rows: Tokens, key: RootKey) -> Float[Array, ""]:
        """Returns the mean over members and rows of the nats of the observed tokens.

        A member's gradient does not depend on the others.
        """

        def member(argument):
            decoder, key = argument
            for_points, for_dropout = jax.random.split(key)
            z = jax.random.normal(for_points, (self.fit_points, self.decoder.latents))
            logits = self.decoder(decoder, z, for_dropout)
            components = decoder_log_probabilities(
                logits, jax.lax.stop_gradient(params["marginal"])
            )
            return products.nats(components, rows).mean()

        keys = jax.random.split(key, self.members)
        return jax.lax.map(member, (params["decoders"], keys)).mean()

    def components(self, params: Params, key: RootKey) -> Components:
        """Returns the components at points that are a function of the key."""

        def member(argument):
            decoder, key = argument
            z = jax.random.normal(key, (each, self.decoder.latents))
            logits = self.decoder(decoder, z)
            return decoder_log_probabilities(logits, params["marginal"])

        each = self.points // self.members
        keys = jax.random.split(key, self.members)
        found = jax.lax.map(member, (params["decoders"], keys))
        return found.reshape(-1, *found.shape[2:])
