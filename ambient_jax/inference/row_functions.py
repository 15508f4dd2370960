"""The functions of a network that evaluation and users call, each compiled once."""

from functools import cached_property

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from ambient_jax.diffusion.masked import absorbing, likelihood, sampling
from ambient_jax.diffusion.masked.consistency import martingale_products
from ambient_jax.diffusion.masked.losses import cross_entropy
from ambient_jax.diffusion.masked.sampling import Sampler, row_uniforms
from ambient_jax.inference.row_map import RowMap
from ambient_jax.types import Denoise, Denoiser, RowKeys, Tokens, bind

LEVELS = 10
"""Strata of the masked share in one pass of `RowFunctions.elbo`."""

GAP_TIMES = (0.2, 0.4, 0.6, 0.8)
"""Noisier times of `RowFunctions.defect`; the cleaner ones lie `GAP` below."""
GAP = 0.1


class RowFunctions:
    """Row functions of one denoiser, for `[N, L]` arrays on the host.

    Each takes the rows' `context=` by keyword where the network reads one.

    Args:
      denoiser: the network.
      mesh: devices; rows are split over them.
      batch_size: rows per call.
      sampler: settings of `draw`.
    """

    def __init__(
        self, denoiser: Denoiser, mesh: Mesh, batch_size: int, sampler: Sampler
    ):
        self.denoiser, self.mesh = denoiser, mesh
        self.batch_size, self.sampler = batch_size, sampler

    def for_few(self, num_rows: int) -> "RowFunctions":
        """The same for no more than so many rows, which are not padded far beyond."""
        size = -(-num_rows // self.mesh.size) * self.mesh.size
        size = min(size, self.batch_size)
        return RowFunctions(self.denoiser, self.mesh, size, self.sampler)

    def _map(self, function) -> RowMap:
        def run(params, row_keys, *rows, context=None):
            return function(bind(self.denoiser, params, context), row_keys, *rows)

        return RowMap(run, self.mesh, self.batch_size)

    @cached_property
    def draw(self) -> RowMap:
        """`(params, key, z) -> x`: a joint draw of all masked tokens."""

        def draw(denoise, row_keys, z):
            z = z.astype(jnp.int32)
            return sampling.draw(denoise, z, row_keys, self.sampler)

        return self._map(draw)

    @cached_property
    def marginals(self) -> RowMap:
        """`(params, key, z) -> (mode, mean)` of each token, in one forward pass."""

        def marginals(denoise, row_keys, z):
            logits = denoise(z.astype(jnp.int32))
            p = jax.nn.softmax(logits, axis=-1)
            mean = p @ jnp.arange(p.shape[-1], dtype=p.dtype)
            return jnp.argmax(logits, axis=-1), mean

        return self._map(marginals)

    @cached_property
    def logits(self) -> RowMap:
        """`(params, key, z) -> logits [N, L, V]`, in one forward pass."""
        return self._map(lambda denoise, row_keys, z: denoise(z.astype(jnp.int32)))

    @cached_property
    def hidden_nats(self) -> RowMap:
        """`(params, key, x, z) -> [N, L]`: `-log p(x_i | z)` where only `z` is MASK."""

        def hidden(denoise, row_keys, x, z):
            nats = cross_entropy(denoise(z.astype(jnp.int32)), x.astype(jnp.int32))
            return jnp.where(z == self.denoiser.num_values, nats, 0.0)

        return self._map(hidden)

    @cached_property
    def elbo(self) -> RowMap:
        """`(params, key, x, scored) -> nats [N, LEVELS]`: see `elbo_by_level`."""

        def elbo(denoise, row_keys, x, scored):
            x = x.astype(jnp.int32)
            return likelihood.elbo_by_level(denoise, x, scored, row_keys, LEVELS)

        return self._map(elbo)

    @cached_property
    def chain_rule(self) -> RowMap:
        """`(params, key, x, scored) -> nats [N]`: exact, in one random order."""

        def chain(denoise, row_keys, x, scored):
            return likelihood.chain_rule(denoise, x.astype(jnp.int32), scored, row_keys)

        return self._map(chain)

    @cached_property
    def defect(self) -> RowMap:
        """`(params, key, x) -> [N]`: see `consistency_defect`."""

        def defect(denoise, row_keys, x):
            return consistency_defect(denoise, x.astype(jnp.int32), row_keys)

        return self._map(defect)


def consistency_defect(denoise: Denoise, x: Tokens, keys: RowKeys) -> jax.Array:
    """Mean squared defect of the martingale property, one value per row `[B]`.

    For times t of `GAP_TIMES` and s = t - GAP: `|| E p(.|z_s) - p(.|z_t) ||^2`
    (unbiased, from two draws) averaged over the tokens still masked at s. Zero for a
    model whose predictions are the conditionals of one joint distribution.
    """
    mask = sampling.denoise_mask(denoise, x)

    def at(_, number_and_t):
        number, t = number_and_t
        (hide, where), (one, two) = (
            row_uniforms(keys, 2 * number + half, x.shape[1]) for half in (0, 1)
        )
        z_t = absorbing.hide(x, hide < t, mask)
        logits = denoise(z_t)

        def cleaner(u):
            values = absorbing.draw_values(u, logits)
            return absorbing.reverse_step(where, z_t, values, GAP / t, mask)

        z_1, z_2 = cleaner(one), cleaner(two)
        products = martingale_products(denoise(z_1), denoise(z_2), logits, "none")
        masked = z_1 == mask
        total = jnp.sum(jnp.where(masked, products, 0.0), axis=-1)
        return None, total / jnp.maximum(jnp.sum(masked, axis=-1), 1)

    numbered = (jnp.arange(len(GAP_TIMES)), jnp.asarray(GAP_TIMES))
    return jnp.mean(jax.lax.scan(at, None, numbered)[1], axis=0)
