"""The mesh of devices: rows are sharded over its `data` axis, parameters replicated."""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from ambient_jax.errors import UserError


def make_mesh(num_devices: int | None = None) -> Mesh:
    """Returns a mesh with one axis over the first `num_devices` devices (None: all)."""
    devices = jax.devices()[:num_devices]
    return jax.make_mesh(
        (len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices
    )


def make_table_mesh() -> Mesh:
    """Returns the mesh for tables: all accelerators, but only one device of a CPU.

    Several CPU devices would share the same cores.
    """
    return make_mesh(1 if jax.default_backend() == "cpu" else None)


def table_batch_size() -> int:
    """Returns how many rows of a table one call of the network predicts.

    On a CPU 128 rows take no longer per row than 512 do, and the last batch of a small
    table is less padded.
    """
    return 128 if jax.default_backend() == "cpu" else 512


def rows(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of an array whose first axis is rows."""
    return NamedSharding(mesh, PartitionSpec("data"))


def replicated(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of parameters, optimizer state and keys: one copy each."""
    return NamedSharding(mesh, PartitionSpec())


def put_rows(mesh: Mesh, tree: Any) -> Any:
    """Moves a pytree of host arrays to the devices, their first axis sharded."""
    return jax.device_put(tree, rows(mesh))


def check_batch_size(mesh: Mesh, batch_size: int) -> int:
    """Returns `batch_size`.

    Raises:
      UserError: it is not a positive multiple of the number of devices.
    """
    n = mesh.shape["data"]
    if batch_size < 1 or batch_size % n:
        nearest = max(n, round(batch_size / n) * n)
        raise UserError(
            f"batch size {batch_size} does not split over {n} devices; use {nearest}"
        )
    return batch_size


def describe(mesh: Mesh) -> str:
    """Returns the devices in words, for the first line that a run prints."""
    device = mesh.devices.flat[0]
    kind = "" if device.platform == "cpu" else f" ({device.device_kind})"
    count = mesh.devices.size
    return f"{count} {device.platform.upper()} device{'s' * (count > 1)}{kind}"


def device_name(mesh: Mesh) -> str:
    """Returns platform, kind and number of the devices, for the run's summary."""
    device = mesh.devices.flat[0]
    return f"{device.platform}:{device.device_kind} x{np.size(mesh.devices)}"
