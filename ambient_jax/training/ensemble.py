"""Trains the members of an ensemble side by side, each as if it were alone."""

from dataclasses import dataclass
from typing import cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from ambient_jax.family import Batch, Metrics, Objective
from ambient_jax.networks.ensemble import Ensemble
from ambient_jax.training.optimizer import GradientTransformation
from ambient_jax.types import Denoiser, Params, RootKey


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class EnsembleObjective:
    """The mean of the members' losses (`family.Objective`).

    The loss of the mean prediction would let members lean on each other. Each member
    has a key of its own and trains on the rows that `Batch.excluded_rows` leaves it.

    Attributes:
      member: the objective of one network.
    """

    member: Objective

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of the member's metrics, which are averaged."""
        return self.member.metric_names

    def __call__(
        self,
        denoiser: Denoiser,
        params: Params,
        batch: Batch,
        step: Int[Array, ""],
        key: RootKey,
        ema: Params = None,
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the mean loss and mean metrics; `denoiser` is an `Ensemble`."""
        ensemble = cast(Ensemble, denoiser)

        def of_member(excluded, params, fields, key, ema):
            rows = batch._replace(excluded_rows=excluded)
            return self.member(
                ensemble.member_with(fields), params, rows, step, key, ema
            )

        split = jax.random.split(key, ensemble.size)
        excluded = batch.excluded_rows
        excluded = None if excluded is None else jnp.asarray(excluded).T
        each = jax.vmap(of_member)(excluded, params, ensemble.member_fields, split, ema)
        return jax.tree.map(lambda x: x.mean(axis=0), each)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class PerMember:
    """Applies an optimizer to each member of an ensemble apart.

    No member's gradient is clipped for another's sake. Parameters and gradients have a
    leading axis over the members.

    Attributes:
      optimizer: of one member.
    """

    optimizer: GradientTransformation

    def init(self, params: Params) -> optax.OptState:
        """Returns the states of the members, stacked."""
        return jax.vmap(self.optimizer.init)(params)

    def update(
        self, updates: Params, state: optax.OptState, params: Params = None
    ) -> tuple[Params, optax.OptState]:
        """Returns the updates and the new states of the members, stacked."""
        return jax.vmap(self.optimizer.update)(updates, state, params)
