"""Maps a compiled function over all rows of a data set in padded, sharded batches."""

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from ambient_jax import mesh as meshes
from ambient_jax.compilation import Structure, partition, shared
from ambient_jax.keys import row_keys
from ambient_jax.types import Params, RootKey

RowFunction = Callable[..., Any]
"""`(params, keys[B], *rows) -> pytree of [B, ...]`.

A row's result must depend on its own key and content alone, so that batch size and
padding do not matter. Where rows have a context it is passed as `context=`.
"""


def seconds(call: Callable[[], Any]) -> tuple[float, float]:
    """Returns how long a call takes, and how much longer the first one did.

    The first call includes the compilation of what it calls.
    """
    clock = time.perf_counter()
    call()
    first = time.perf_counter() - clock
    clock = time.perf_counter()
    call()
    taken = time.perf_counter() - clock
    return taken, max(0.0, first - taken)


class RowMap:
    """A function of rows, compiled once, for any number of rows on the host.

    Maps of the same function share a compiled program if `static` and `bound` are equal
    apart from the arrays of the latter. Memory on the device does not grow with the
    number of rows: the next batch is dispatched before the result of the last one is
    fetched.

    Args:
      function: see `RowFunction`.
      mesh: devices; rows are split over its `data` axis.
      batch_size: rows per call, a multiple of the number of devices.
      before_batch: called before each batch; it may raise to stop the work.
      static: what the function takes first; constants of the compiled program.
      bound: pytrees that it takes next; their arrays are arguments of the program.

    Raises:
      UserError: the devices do not divide the batch size.
    """

    def __init__(
        self, function: RowFunction, mesh: Mesh, batch_size: int,
        before_batch: Callable[[], None] | None = None,
        static: tuple[Hashable, ...] = (), bound: tuple[Any, ...] = (),
    ):  # fmt: skip
        self.mesh = mesh
        self._before_batch = before_batch
        self.batch_size = meshes.check_batch_size(mesh, batch_size)
        arrays, structure = partition(bound)
        self._bound = jax.device_put(arrays, meshes.replicated(mesh))
        self._run = shared(_run, function, static, structure)

    def batches(
        self,
        params: Params,
        key: RootKey,
        *rows: np.ndarray,
        context: np.ndarray | None = None,
        ids: np.ndarray | None = None,
        start: int = 0,
    ) -> Iterator[tuple[slice, Any]]:
        """Yields `(slice of the rows, result on the host)` in order.

        Rows are read when their batch is dispatched, one batch ahead of the results.

        Args:
          params: a pytree, copied to every device.
          key: root of the rows' keys.
          rows: arrays `[N, ...]` on the host, the function's arguments.
          context: `[N, F]` extra features, see `Denoiser.apply`.
          ids: `[N]` integers that the rows' keys are derived from; default 0..N-1.
          start: index of the first row.
        """
        ids = np.arange(len(rows[0])) if ids is None else ids
        params, key = jax.device_put((params, key), meshes.replicated(self.mesh))
        pending: tuple[slice, Any] | None = None
        for begin in range(start, len(rows[0]), self.batch_size):
            if self._before_batch is not None:
                self._before_batch()
            where = slice(begin, min(begin + self.batch_size, len(rows[0])))
            result = self._dispatch(params, key, where, (ids, *rows), context)
            if pending is not None:
                yield self._fetch(pending)
            pending = (where, result)
        if pending is not None:
            yield self._fetch(pending)

    def __call__(
        self,
        params: Params,
        key: RootKey,
        *rows: np.ndarray,
        context: np.ndarray | None = None,
        ids: np.ndarray | None = None,
    ) -> Any:
        """Returns all results, concatenated over the rows; see `batches`."""
        batches = self.batches(params, key, *rows, context=context, ids=ids)
        parts = [result for _, result in batches]
        return jax.tree.map(lambda *xs: np.concatenate(xs), *parts)

    def _dispatch(
        self, params: Params, key: RootKey, where: slice,
        arrays: Sequence[np.ndarray], context: np.ndarray | None,
    ) -> Any:  # fmt: skip
        padded = np.arange(where.start, where.start + self.batch_size)
        padded = np.minimum(padded, where.stop - 1)
        ids, *rows = (array[padded] for array in arrays)
        context = None if context is None else context[padded]
        sent = meshes.put_rows(self.mesh, (ids.astype(np.uint32), tuple(rows), context))
        with jax.transfer_guard("disallow"):
            return self._run(self._bound, params, key, *sent)

    @staticmethod
    def _fetch(pending: tuple[slice, Any]) -> tuple[slice, Any]:
        where, result = pending
        count = where.stop - where.start
        return where, jax.tree.map(lambda a: a[:count], jax.device_get(result))


def _run(
    function: RowFunction, static: tuple[Hashable, ...], structure: Structure,
    arrays: list[Array], params: Params, key: RootKey, ids: Array,
    rows: tuple[Array, ...], context: Array | None,
) -> Any:  # fmt: skip
    named = {} if context is None else {"context": context}
    bound = structure.with_arrays(arrays)
    return function(*static, *bound, params, row_keys(key, ids), *rows, **named)
