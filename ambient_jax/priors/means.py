"""The prior that completes a row by the means of the columns."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ambient_jax.priors.closed_form import ClosedFormPrior
from ambient_jax.types import Params, RootKey, RowKeys, Values


@dataclass(frozen=True, kw_only=True)
class MeanPrior(ClosedFormPrior):
    """Independent Gaussian cells, completed by their mean (`family.Prior`).

    It is where DiffPuter starts: the mean of a standardised column is 0. Its
    completions are no draws.
    """

    def init(self, rows: np.ndarray, key: RootKey) -> Params:
        """Returns mean and standard deviation of the observed cells of each column."""
        mean, sd = np.nanmean(rows, axis=0), np.nanstd(rows, axis=0)
        return {"mean": jnp.asarray(mean), "sd": jnp.asarray(np.maximum(sd, 1e-6))}

    def nats(self, components: Params, rows: Values) -> Float[Array, " B"]:
        """Returns `-log p(observed cells)` of each row, in nats."""
        mean, sd = components["mean"][None], components["sd"][None]
        nats = 0.5 * ((rows - mean) / sd) ** 2 + jnp.log(sd * jnp.sqrt(2 * jnp.pi))
        return jnp.sum(jnp.where(jnp.isnan(rows), 0.0, nats), axis=1)

    def draw(
        self, components: Params, rows: Array, keys: RowKeys, schedule: tuple
    ) -> Array:
        """Returns `[B, L]` rows, in which missing cells have the mean."""
        return jnp.where(jnp.isnan(rows), components["mean"][None], rows)
