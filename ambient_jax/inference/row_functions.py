"""The functions of a masked denoiser over rows, each compiled once for all runs."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from ambient_jax.diffusion.masked import (
    likelihood,
    martingale_defect,
    order_gap,
    sampling,
)
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.inference.row_map import RowMap
from ambient_jax.types import Denoiser, bind

LEVELS = 10
"""Strata of the masked share in one pass of `RowFunctions.elbo`."""

DEFECT_PASSES, ORDER_GAP_PASSES = martingale_defect.PASSES, order_gap.PASSES
"""Forward passes of `RowFunctions.defect` and `RowFunctions.order_gap`."""


class RowFunctions:
    """Functions of one denoiser over rows `[N, L]` on the host.

    Each is a `RowMap`: it takes parameters and a key, then arrays of rows, and
    `context=` where the network reads one. Compiled at the first call.

    Args:
      denoiser: the network.
      mesh: devices; rows are split over them.
      batch_size: rows per call.
      sampler: settings of `draw`.
      before_batch: see `RowMap`.
    """

    def __init__(
        self, denoiser: Denoiser, mesh: Mesh, batch_size: int, sampler: Sampler,
        before_batch: Callable[[], None] | None = None,
    ):  # fmt: skip
        self.denoiser, self.mesh, self.before_batch = denoiser, mesh, before_batch
        self.batch_size, self.sampler = batch_size, sampler

    def for_few(self, num_rows: int) -> "RowFunctions":
        """Returns functions with a smaller batch, for no more than `num_rows` rows."""
        size = -(-num_rows // self.mesh.size) * self.mesh.size
        size = min(size, self.batch_size)
        return RowFunctions(
            self.denoiser, self.mesh, size, self.sampler, self.before_batch
        )

    def _map(self, function: Callable, *static: Any) -> RowMap:
        return RowMap(
            _denoised, self.mesh, self.batch_size, self.before_batch,
            static=(function, static), bound=(self.denoiser,),
        )  # fmt: skip

    @cached_property
    def draw(self) -> RowMap:
        """`(params, key, z) -> x`: a joint draw of all masked tokens."""
        return self._map(_draw, self.sampler)

    @cached_property
    def numbered_draw(self) -> RowMap:
        """`(params, key, z, number) -> x`: independent for different numbers `[N]`."""
        return self._map(_numbered_draw, self.sampler)

    @cached_property
    def marginals(self) -> RowMap:
        """`(params, key, z) -> (mode, mean)` of each token, in one forward pass."""
        return self._map(_marginals)

    @cached_property
    def logits(self) -> RowMap:
        """`(params, key, z) -> logits [N, L, V]`, in one forward pass."""
        return self._map(_logits)

    @cached_property
    def elbo(self) -> RowMap:
        """`(params, key, x, scored) -> nats [N, LEVELS]`: see `elbo_by_level`."""
        return self._map(_elbo)

    @cached_property
    def chain_rule(self) -> RowMap:
        """`(params, key, x, scored) -> nats [N]`: exact, in one random order."""
        return self._map(_chain_rule)

    @cached_property
    def defect(self) -> RowMap:
        """`(params, key, x) -> [N]`: see `martingale_defect`."""
        return self._map(_defect)

    @cached_property
    def order_gap(self) -> RowMap:
        """`(params, key, x) -> [N]`: see `order_gap`."""
        return self._map(_order_gap)


def _denoised(function, static, denoiser, params, row_keys, *rows, context=None):
    denoise = bind(denoiser, params, context)
    return function(denoise, *static, row_keys, *rows)


def _draw(denoise, sampler, row_keys, z):
    return sampling.draw(denoise, z.astype(jnp.int32), row_keys, sampler)


def _numbered_draw(denoise, sampler, row_keys, z, number):
    return _draw(denoise, sampler, jax.vmap(jax.random.fold_in)(row_keys, number), z)


def _marginals(denoise, row_keys, z):
    logits = denoise(z.astype(jnp.int32))
    p = jax.nn.softmax(logits, axis=-1)
    mean = p @ jnp.arange(p.shape[-1], dtype=p.dtype)
    return jnp.argmax(logits, axis=-1), mean


def _logits(denoise, row_keys, z):
    return denoise(z.astype(jnp.int32))


def _elbo(denoise, row_keys, x, scored):
    x = x.astype(jnp.int32)
    return likelihood.elbo_by_level(denoise, x, scored, row_keys, LEVELS)


def _chain_rule(denoise, row_keys, x, scored):
    return likelihood.chain_rule(denoise, x.astype(jnp.int32), scored, row_keys)


def _defect(denoise, row_keys, x):
    return martingale_defect.martingale_defect(denoise, x.astype(jnp.int32), row_keys)


def _order_gap(denoise, row_keys, x):
    return order_gap.order_gap(denoise, x.astype(jnp.int32), row_keys)
