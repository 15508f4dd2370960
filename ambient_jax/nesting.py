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


def nest(flat: Mapping[str, Any], separator: str = ".") -> dict[str, Any]:
    """Returns the nested mappings that `flatten` made flat."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, name = path.split(separator)
        inner = tree
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[name] = value
    return tree
