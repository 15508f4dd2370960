"""The type of a config: fields by name, which no static checker can follow."""

from typing import Any, TypeAlias

Config: TypeAlias = Any  # an ml_collections.ConfigDict
