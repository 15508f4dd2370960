"""The functions of a Gaussian denoiser over rows, each compiled once for all runs."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from ambient_jax.diffusion.gaussian import sampling
from ambient_jax.diffusion.gaussian.posterior import PosteriorCompleter
from ambient_jax.inference.row_map import RowMap
from ambient_jax.types import GaussianDenoiser, bind


class GaussianFunctions:
    """Functions of one denoiser over scaled rows `[N, L]` on the host.

    Args:
      denoiser: the network.
      mesh: devices; rows are split over them.
      batch_size: rows per call.
      completer: its draws complete rows, and its sampler generates them.
      visible_share: share of the cells that a network which reads a mask is given when
        it generates rows; None: it reads none.
      before_batch: see `RowMap`.
    """

    def __init__(
        self, denoiser: GaussianDenoiser, mesh: Mesh, batch_size: int,
        completer: PosteriorCompleter, visible_share: float | None = None,
        before_batch: Callable[[], None] | None = None,
    ):  # fmt: skip
        self.denoiser, self.mesh, self.batch_size = denoiser, mesh, batch_size
        self.completer, self.visible_share = completer, visible_share
        self._before_batch = before_batch

    def _map(self, function: Callable, *static: Any) -> RowMap:
        return RowMap(
            function, self.mesh, self.batch_size, self._before_batch,
            static=static, bound=(self.denoiser,),
        )  # fmt: skip

    @cached_property
    def numbered_draw(self) -> RowMap:
        """`(params, key, rows, number) -> x`: a draw of the missing cells, NaN in rows.

        Draws are independent for different numbers `[N]`.
        """
        return self._map(_numbered_draw, self.completer)

    @cached_property
    def sample(self) -> RowMap:
        """`(params, key, rows) -> x`: new rows of the shape of `rows`."""
        return self._map(_sample, self.completer.sampler, self.visible_share)

    @cached_property
    def estimate(self) -> RowMap:
        """`(params, key, rows, sigma) -> h`, the estimate of rows at a level `[N]`.

        A network that reads a mask is given that of the missing cells, NaN in rows.
        """
        return self._map(_estimate, self.visible_share is not None)


def _numbered_draw(completer, denoiser, params, row_keys, rows, number):
    keys = jax.vmap(jax.random.fold_in)(row_keys, number)
    program, schedule = completer.program(initial=False), completer.schedule(0)
    return completer.draw(program, schedule, bind(denoiser, params), rows, rows, keys)


def _sample(sampler, visible_share, denoiser, params, row_keys, rows):
    length = rows.shape[1]
    if visible_share is None:
        return sampling.generate(bind(denoiser, params), row_keys, length, sampler)

    def uniform(key):
        return jax.random.uniform(jax.random.fold_in(key, 1 << 20), (length,))

    visible = (jax.vmap(uniform)(row_keys) < visible_share).astype(jnp.float32)
    estimate = bind(denoiser, params, visible)
    return sampling.generate(estimate, row_keys, length, sampler)


def _estimate(masked, denoiser, params, row_keys, rows, sigma):
    observed = ~jnp.isnan(rows)
    x = jnp.where(observed, rows, 0.0)
    visible = observed.astype(jnp.float32) if masked else None
    return bind(denoiser, params, visible)(x, sigma[:, None])
