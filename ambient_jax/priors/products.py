"""A finite mixture of product distributions: what every prior of this room becomes.

    p(x) = 1/M sum_m prod_i p_m(x_i)

A missing token is summed out by leaving its factor out, so that the likelihood of the
observed tokens of a row, and draws of its missing ones, are exact at any density.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ambient_jax.types import RootKey, RowKeys, Tokens

Components = Float[Array, "M L V"]
"""`log p_m(x_i = v)` of each component, token and value."""


def log_likelihood(components: Components, rows: Tokens) -> Float[Array, "B M"]:
    """Returns `log p_m(observed tokens)` of each row under each component, in nats.

    Args:
      components: log probabilities, all finite.
      rows: tokens 0..V-1, or MASK = V where one is missing, which adds nothing.
    """
    count, _, num_values = components.shape
    seen = jax.nn.one_hot(rows, num_values, dtype=components.dtype)
    return seen.reshape(len(rows), -1) @ components.reshape(count, -1).T


def nats(components: Components, rows: Tokens) -> Float[Array, " B"]:
    """Returns `-log p(observed tokens)` of each row under the mixture."""
    each = log_likelihood(components, rows)
    return np.log(len(components)) - jax.scipy.special.logsumexp(each, axis=-1)


def draw(
    components: Components,
    rows: Tokens,
    keys: RowKeys,
    temperature: float | Float[Array, ""] = 1.0,
) -> Tokens:
    """Returns rows whose missing tokens are drawn from `p(missing | observed)`.

    A component is drawn by its posterior weight given the observed tokens, then each
    missing token from that component. Given the component they are independent; over
    the components they are not.

    Args:
      rows: `[B, L]`; observed tokens are returned as they are.
      keys: one per row; a row depends on its own key and content alone.
      temperature: of the tokens given their component, above 0; 1 is the posterior. The
        weights of the components are not changed by it. Below 1 it makes up for a
        decoder that was held back from learning few values by heart, and is therefore
        less certain than data are.
    """
    num_values = components.shape[-1]

    def draw_row(key, row, weights):
        for_component, for_values = jax.random.split(key)
        chosen = components[_one_of(for_component, weights)] / temperature
        return jnp.where(
            row < num_values, row, jax.random.categorical(for_values, chosen)
        )

    return jax.vmap(draw_row)(keys, rows, log_likelihood(components, rows))


def _one_of(key: RootKey, log_weights: Float[Array, " M"]) -> Int[Array, ""]:
    """Draws an index by its weight, with one uniform in place of M Gumbel variables."""
    total = jnp.cumsum(jax.nn.softmax(log_weights))
    index = jnp.searchsorted(total, jax.random.uniform(key) * total[-1], side="right")
    return jnp.minimum(index, len(log_weights) - 1)


class MixturePrior:
    """How priors whose components are those of a mixture score and draw."""

    def nats(self, components: Components, rows: Tokens) -> Float[Array, " B"]:
        """See `nats`."""
        return nats(components, rows.astype(jnp.int32))

    def draw(
        self, components: Components, rows: Tokens, keys: RowKeys,
        schedule: tuple[Array, ...],
    ) -> Tokens:  # fmt: skip
        """See `draw`; the schedule starts with the temperature."""
        x = draw(components, rows.astype(jnp.int32), keys, schedule[0])
        return x.astype(rows.dtype)
