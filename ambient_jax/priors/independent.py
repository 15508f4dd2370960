"""The prior without any dependence: the marginal shares, as a control."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from ambient_jax.priors import products
from ambient_jax.priors.marginals import log_marginals
from ambient_jax.priors.products import Components, MixturePrior
from ambient_jax.types import Params, RootKey, Tokens


@dataclass(frozen=True, kw_only=True)
class IndependentPrior(MixturePrior):
    """Every token is drawn from its marginal share (`family.Prior`). Nothing is fitted.

    Attributes:
      num_values: V.
    """

    num_values: int
    num_steps: int = 0
    batch_size: int = 1

    def optimizer(self) -> optax.GradientTransformation:
        """Nothing is trained."""
        return optax.set_to_zero()

    def init(self, rows: np.ndarray, key: RootKey) -> Params:
        """Returns the marginals of the rows."""
        return {"marginal": jnp.asarray(log_marginals(rows, self.num_values))}

    def loss(self, params: Params, rows: Tokens, key: RootKey) -> Float[Array, ""]:
        """Returns the mean nats of the observed tokens of a row."""
        return products.nats(params["marginal"][None], rows).mean()

    def components(self, params: Params, key: RootKey) -> Components:
        """Returns the one component."""
        return params["marginal"][None]
