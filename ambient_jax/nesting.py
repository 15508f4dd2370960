"""Nested mappings as flat ones: configs in reports, parameters in files."""

from collections.abc import Mapping
from typing import Any


def flatten(
    tree: Mapping[str, Any], separator: str = ".", prefix: str = ""
) -> dict[str, Any]:
    """`{"a.b": leaf}` of nested mappings, in their order."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, separator, f"{prefix}{name}{separator}")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
