"""Devices as a mesh: rows are sharded over the `data` axis, parameters replicated."""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from ambient_jax.errors import UserError


def make_mesh(num_devices: int | None = None) -> Mesh:
    """A one-axis mesh over the first `num_devices` devices (default: all)."""
    devices = jax.devices()[:num_devices]
    return jax.make_mesh(
        (len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices
    )


def make_table_mesh() -> Mesh:
    """The mesh for tables: one device on a CPU, whose devices share its cores."""
    return make_mesh(1 if jax.default_backend() == "cpu" else None)


def rows(mesh: Mesh) -> NamedSharding:
    """Sharding of an array whose first axis is rows."""
    return NamedSharding(mesh, PartitionSpec("data"))


def replicated(mesh: Mesh) -> NamedSharding:
    """Sharding of parameters, optimizer state and keys: a copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def put_rows(mesh: Mesh, tree: Any) -> Any:
    """Moves a pytree of host arrays to the devices, first axis split over `data`."""
    return jax.device_put(tree, rows(mesh))


def check_batch_size(mesh: Mesh, batch_size: int) -> int:
    """`batch_size` if the devices divide it, else a `UserError` that says what does."""
    n = mesh.shape["data"]
    if batch_size < 1 or batch_size % n:
        near = max(n, round(batch_size / n) * n)
        raise UserError(
            f"batch size {batch_size} does not split over {n} devices; use {near}"
        )
    return batch_size


def describe(mesh: Mesh) -> str:
    """The devices in words, for the first line of a run."""
    device = mesh.devices.flat[0]
    kind = "" if device.platform == "cpu" else f" ({device.device_kind})"
    count = mesh.devices.size
    return f"{count} {device.platform.upper()} device{'s' * (count > 1)}{kind}"


def device_name(mesh: Mesh) -> str:
    """Platform and kind of the first device, for records."""
    device = mesh.devices.flat[0]
    return f"{device.platform}:{device.device_kind} x{np.size(mesh.devices)}"
