"""The reverse process: generating, imputing and redrawing are one compiled loop.

Keys follow the row: the draw of a row depends on its key and its tokens, but neither on
the batch that it is in nor on the device that holds it.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.types import Denoise, Positions, RowKeys, Tokens


def row_uniforms(
    keys: RowKeys, step: Array | int, length: int
) -> Float[Array, "2 B L"]:
    """Draws two independent uniforms in [0, 1) per token for one step of a loop.

    Args:
      keys: one key per row.
      step: index of the step; other steps have independent uniforms.
      length: L.
    """

    def one_row(key):
        return jax.random.uniform(jax.random.fold_in(key, step), (2, length))

    return jnp.moveaxis(jax.vmap(one_row)(keys), 1, 0)


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Settings of the reverse process.

    Attributes:
      num_reveals: maximum number of steps of the reverse process, equally spaced in t
        from all-masked to complete, at least 1; a row with fewer masked tokens takes
        one step for each. More steps come closer to the exact joint, because tokens
        that are revealed together are drawn as independent.
      corrector_sweeps: how often, after the last reveal, a random
        `corrector_fraction` of the editable tokens is masked and drawn again, which
        repairs early mistakes; at least 0.
      corrector_fraction: share of the editable tokens redrawn per sweep, in (0, 1].

    Examples:
      >>> Sampler(num_reveals=8, corrector_sweeps=2)
      Sampler(num_reveals=8, corrector_sweeps=2, corrector_fraction=0.1)

    Raises:
      ValueError: if a field is out of its range.
    """

    num_reveals: int = 32
    corrector_sweeps: int = 0
    corrector_fraction: float = 0.1

    def __post_init__(self):
        if self.num_reveals < 1 or self.corrector_sweeps < 0:
            raise ValueError("num_reveals must be >= 1 and corrector_sweeps >= 0")
        if not 0 < self.corrector_fraction <= 1:
            raise ValueError("corrector_fraction must lie in (0, 1]")

    @property
    def passes(self) -> int:
        """Maximum number of forward passes that one draw costs."""
        return self.num_reveals + self.corrector_sweeps


def random_ranks(u: Float[Array, "B L"], where: Positions) -> Int[Array, "B L"]:
    """Ranks the tokens of `where` in the order of `u`; the others come last.

    Args:
      u: uniforms in [0, 1), which decide the order.
      where: the tokens to rank 0, 1, ... within each row.

    Returns:
      A permutation of 0..L-1 per row.
    """
    order = jnp.argsort(jnp.where(where, u, jnp.inf), axis=-1)
    return jnp.argsort(order, axis=-1)


def tempered(denoise: Denoise, temperature: Float[Array, ""] | float) -> Denoise:
    """The denoiser with each token's distribution `p` replaced by `p^(1/temperature)`.

    A temperature below 1 sharpens the predictions, one above 1 flattens them; the
    powers are normalised.
    """
    return lambda z: denoise(z) / temperature


def reveal(
    denoise: Denoise, z: Tokens, masked: Positions, keys: RowKeys, num_reveals: int
) -> Tokens:
    """Runs the reverse process from `z` (t = 1) until no token is masked (t = 0).

    The masked tokens of a row are put in a random order. At time t the first share
    `1 - t` of them is visible, each drawn from the prediction of the model at the
    moment of its reveal. This is the Bayes reverse process (see `reverse_step`) with
    the binomial numbers of reveals replaced by their means. If `num_reveals` is at
    least the number of masked tokens, no two are revealed together and the draw is
    exact, whereas independent reveals would still collide (docs/design.md says what
    that costs EM).

    A row with fewer masked tokens than `num_reveals` takes one step for each. The loop
    ends with the row that takes the most, so that rows are best batched with others of
    as many masked tokens; what a row draws does not depend on that.

    Args:
      denoise: the network under fixed parameters.
      z: rows with MASK at each token to draw. Where the others are observed, the result
        is a draw of `x_mis | x_obs`.
      masked: the tokens that are MASK in `z`.
      keys: one key per row.
      num_reveals: maximum number of steps, equally spaced in t, and of calls of
        `denoise`.

    Returns:
      Complete rows of the shape and type of `z`; visible tokens are unchanged.

    References:
      Sahoo et al. 2024 (arXiv 2406.07524), eq. 6 (SUBS).
    """
    ranks = random_ranks(row_uniforms(keys, 0, z.shape[1])[0], masked)
    size = jnp.sum(masked, axis=-1, keepdims=True)
    steps = jnp.minimum(size, num_reveals)
    total = jnp.max(steps)

    def shown(i):
        """How many of a row's tokens are visible after its first i steps."""
        return jnp.round(size * i / jnp.maximum(steps, 1))

    def step(carry):
        z, i = carry
        u = row_uniforms(keys, i + 1, z.shape[1])[1]
        values = absorbing.draw_values(u, denoise(z))
        now = masked & (ranks >= shown(i)) & (ranks < shown(i + 1))
        return jnp.where(now, values.astype(z.dtype), z), i + 1

    return jax.lax.while_loop(lambda carry: carry[1] < total, step, (z, 0))[0]


def denoise_mask(denoise: Denoise, z: Tokens) -> int:
    """The MASK symbol V, from the shape of the denoiser's output; it is not run."""
    return jax.eval_shape(denoise, z).shape[-1]


def refresh(
    denoise: Denoise,
    x: Tokens,
    editable: Positions,
    keys: RowKeys,
    fraction: Float[Array, ""] | float,
    sampler: Sampler,
) -> Tokens:
    """Masks a random `fraction` of the editable tokens of `x` and draws them again.

    This is a Gibbs step on a random block of positions. It leaves the distribution of
    the editable tokens given the others invariant, up to the error of tokens that are
    revealed together. The corrector sweeps of the sampler follow.

    Args:
      denoise: the network under fixed parameters.
      x: rows of tokens.
      editable: the tokens that may change.
      keys: one key per row.
      fraction: probability that an editable token is redrawn, in (0, 1]. 1 is a fresh
        draw that does not depend on the old values; a smaller fraction is one step of a
        Markov chain that starts at `x`.
      sampler: number of reveals and corrector sweeps.

    Returns:
      Rows of the shape and type of `x`; tokens that are not editable are unchanged.
    """
    return _refresh(
        denoise, x, editable, keys, fraction, sampler, denoise_mask(denoise, x)
    )


def _refresh(
    denoise: Denoise, x: Tokens, editable: Positions, keys: RowKeys,
    fraction: Float[Array, ""] | float, sampler: Sampler, mask: int,
) -> Tokens:  # fmt: skip
    split = jax.vmap(lambda key: jax.random.split(key, 3))(keys)
    k_where, k_reveal, k_sweep = split[:, 0], split[:, 1], split[:, 2]

    def redraw(x, where_keys, reveal_keys, fraction, num_reveals):
        u = row_uniforms(where_keys, 0, x.shape[1])[0]
        z = absorbing.hide(x, editable & (u < fraction), mask)
        return reveal(denoise, z, z == mask, reveal_keys, num_reveals)

    def sweep(x, i):
        sweep_keys = jax.vmap(jax.random.fold_in, (0, None))(k_sweep, i)
        pair = jax.vmap(jax.random.split)(sweep_keys)
        return redraw(x, pair[:, 0], pair[:, 1], sampler.corrector_fraction, 1), None

    x = redraw(x, k_where, k_reveal, fraction, sampler.num_reveals)
    if not sampler.corrector_sweeps:
        return x
    return jax.lax.scan(sweep, x, jnp.arange(sampler.corrector_sweeps))[0]


def draw(denoise: Denoise, z: Tokens, keys: RowKeys, sampler: Sampler) -> Tokens:
    """Draws the masked tokens of `z` given the visible ones.

    Args:
      denoise: the network under fixed parameters.
      z: rows with MASK at each token to draw: the missing ones to impute a row, all of
        them to generate one.
      keys: one key per row.
      sampler: number of reveals and corrector sweeps.

    Returns:
      Complete rows of the shape and type of `z`; visible tokens are unchanged.
    """
    mask = denoise_mask(denoise, z)
    return _refresh(denoise, z, z == mask, keys, 1.0, sampler, mask)
