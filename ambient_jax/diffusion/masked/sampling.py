"""The reverse process: generate, impute and refresh are one compiled loop.

Keys follow the *row*: a row's draw depends on its own key and content, not on the batch
it sits in nor on the device that holds it.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.schedules import Linear, Schedule
from ambient_jax.types import Denoise, Positions, RootKey, RowKeys, Tokens


def row_keys(key: RootKey, row_ids: Array) -> RowKeys:
    """One key per row, a function of the root key and the row's own number."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, row_ids)


def row_uniforms(
    keys: RowKeys, step: Array | int, length: int
) -> Float[Array, "2 B L"]:
    """Two independent uniforms per token for one step of the loop."""

    def one_row(key):
        return jax.random.uniform(jax.random.fold_in(key, step), (2, length))

    return jnp.moveaxis(jax.vmap(one_row)(keys), 1, 0)


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Settings of the reverse process.

    Attributes:
      num_reveals: steps of the reverse process from all-masked to complete. More are
        closer to the exact joint: tokens revealed together are drawn as independent.
      corrector_sweeps: after the last reveal, so many times `corrector_fraction` of the
        editable tokens are re-masked and redrawn, which repairs early mistakes.
      corrector_fraction: share of the editable tokens redrawn per sweep, in (0, 1].
      schedule: spacing of the reveals in t.
    """

    num_reveals: int = 32
    corrector_sweeps: int = 0
    corrector_fraction: float = 0.1
    schedule: Schedule = field(default_factory=Linear)

    def __post_init__(self):
        if self.num_reveals < 1 or self.corrector_sweeps < 0:
            raise ValueError("num_reveals must be >= 1 and corrector_sweeps >= 0")
        if not 0 < self.corrector_fraction <= 1:
            raise ValueError("corrector_fraction must lie in (0, 1]")

    @property
    def passes(self) -> int:
        """Forward passes that one draw costs."""
        return self.num_reveals + self.corrector_sweeps


def random_ranks(u: Float[Array, "B L"], where: Positions) -> Int[Array, "B L"]:
    """Rank 0.. of each token of `where` in a random order; the others come last."""
    order = jnp.argsort(jnp.where(where, u, jnp.inf), axis=-1)
    return jnp.argsort(order, axis=-1)


def tempered(denoise: Denoise, temperature: Float[Array, ""] | float) -> Denoise:
    """The network with `p ~ p^(1/temperature)` for each token; below 1: surer draws."""
    return lambda z: denoise(z) / temperature


def reveal(
    denoise: Denoise, z: Tokens, keys: RowKeys, schedule: Schedule, num_reveals: int
) -> Tokens:
    """Runs the reverse process from `z` (t = 1) until nothing is masked (t = 0).

    The masked tokens of a row are put in a random order; at time t the first
    `alpha(t)` share of them is visible, each drawn from the model's prediction at the
    moment of its reveal. It is the Bayes reverse process with its binomial counts
    replaced by their means: with `num_reveals` at least the number of masked tokens no
    two are revealed together, and the draw is exact, where independent reveals would
    still collide (docs/design.md has what that costs EM). Visible tokens are never
    touched. Where rows are partly visible already this is the draw `x_mis | x_obs`.
    """
    masked = z == denoise_mask(denoise, z)
    ranks = random_ranks(row_uniforms(keys, 0, z.shape[1])[0], masked)
    size = jnp.sum(masked, axis=-1, keepdims=True)
    times = jnp.linspace(1.0, 0.0, num_reveals + 1)
    alphas = schedule.alpha(times).at[-1].set(1.0)

    def step(z, i):
        u = row_uniforms(keys, i + 1, z.shape[1])[1]
        values = absorbing.draw_values(u, denoise(z))
        low, high = (jnp.round(size * alphas[i + k]) for k in (0, 1))
        now = masked & (ranks >= low) & (ranks < high)
        return jnp.where(now, values.astype(z.dtype), z), None

    return jax.lax.scan(step, z, jnp.arange(num_reveals))[0]


def denoise_mask(denoise: Denoise, z: Tokens) -> int:
    """MASK = V, read off the network's output shape without running it."""
    return jax.eval_shape(denoise, z).shape[-1]


def refresh(
    denoise: Denoise,
    x: Tokens,
    editable: Positions,
    keys: RowKeys,
    fraction: Float[Array, ""] | float,
    sampler: Sampler,
) -> Tokens:
    """Re-masks `fraction` of the editable tokens of `x` and draws them again.

    It leaves the model's joint of the editable tokens given the others unchanged (up
    to bulk reveals): a Gibbs block of random positions. Fraction 1 is a fresh draw that
    does not look at the old values; below 1 it is one step of a warm chain. The
    sampler's corrector sweeps follow. Tokens that are not editable never change.
    """
    mask = denoise_mask(denoise, x)
    split = jax.vmap(lambda key: jax.random.split(key, 3))(keys)
    k_where, k_reveal, k_sweep = split[:, 0], split[:, 1], split[:, 2]

    def redraw(x, where_keys, reveal_keys, fraction, num_reveals):
        u = row_uniforms(where_keys, 0, x.shape[1])[0]
        z = absorbing.hide(x, editable & (u < fraction), mask)
        return reveal(denoise, z, reveal_keys, sampler.schedule, num_reveals)

    def sweep(x, i):
        sweep_keys = jax.vmap(jax.random.fold_in, (0, None))(k_sweep, i)
        pair = jax.vmap(jax.random.split)(sweep_keys)
        return redraw(x, pair[:, 0], pair[:, 1], sampler.corrector_fraction, 1), None

    x = redraw(x, k_where, k_reveal, fraction, sampler.num_reveals)
    return jax.lax.scan(sweep, x, jnp.arange(sampler.corrector_sweeps))[0]


def draw(denoise: Denoise, z: Tokens, keys: RowKeys, sampler: Sampler) -> Tokens:
    """A draw of the masked tokens of `z` given the visible ones: impute or generate.

    Args:
      denoise: network under fixed parameters.
      z: rows with MASK in every unknown place (all of them: generation).
      keys: one per row.
      sampler: number of reveals and corrector sweeps.

    Returns:
      Complete rows; what was visible in `z` is returned bit for bit.
    """
    editable = z == denoise_mask(denoise, z)
    return refresh(denoise, z, editable, keys, 1.0, sampler)
