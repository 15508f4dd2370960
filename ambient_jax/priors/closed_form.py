"""What priors share that are fitted when they are initialised, without gradients."""

from dataclasses import dataclass
from typing import Any

import optax
from jaxtyping import Array, Float

from ambient_jax.types import Params, RootKey


@dataclass(frozen=True, kw_only=True)
class ClosedFormPrior:
    """Base of a prior whose `init` returns the fitted parameters (`family.Prior`).

    Attributes:
      num_steps, batch_size: of the fit by gradients, which there is none of.
    """

    num_steps: int = 0
    batch_size: int = 1

    def optimizer(self) -> optax.GradientTransformation:
        """Nothing is trained by gradients."""
        return optax.set_to_zero()

    def loss(self, params: Params, rows: Array, key: RootKey) -> Float[Array, ""]:
        """Returns the mean nats of the observed cells of a row."""
        return self.nats(self.components(params, key), rows).mean()

    def components(self, params: Params, key: RootKey) -> Any:
        """Returns what scores and draws: the parameters."""
        return params

    def nats(self, components: Any, rows: Array) -> Float[Array, " B"]:
        """Returns `-log p(observed cells)` of each row; a subclass has it."""
        raise NotImplementedError
