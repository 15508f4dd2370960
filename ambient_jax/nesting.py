"""Flattens nested mappings, such as configs in reports and parameters in files."""

from collections.abc import Mapping
from typing import Any


def flatten(
    tree: Mapping[str, Any], separator: str = ".", prefix: str = ""
) -> dict[str, Any]:
    """Returns `{"a.b": leaf}` for `{"a": {"b": leaf}}`, in the order of the leaves.

    Args:
      tree: mappings whose keys are text.
      separator: joins the keys.
      prefix: precedes every key.
    """
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
