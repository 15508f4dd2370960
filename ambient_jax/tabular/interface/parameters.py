"""Refuses parameters of the imputer that mean nothing."""

import numbers
from typing import Any

from ambient_jax.tabular.predictive import STATISTICS


def check_parameters(imputer: Any) -> None:
    """Raises `ValueError` with the parameter's name and what it may be."""
    if imputer.statistic not in STATISTICS:
        raise ValueError(
            f"statistic must be one of {', '.join(STATISTICS)}; got "
            f"{imputer.statistic!r}"
        )
    for name, low in (("max_bins", 2), ("max_categories", 1)):
        value = getattr(imputer, name)
        if not isinstance(value, numbers.Integral) or value < low:
            raise ValueError(f"{name} must be an integer >= {low}, got {value!r}")
    for name in ("max_epochs", "max_time"):
        value = getattr(imputer, name)
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be above 0 or None, got {value!r}")
    if not 0 <= imputer.validation_fraction < 1:
        raise ValueError(
            "validation_fraction must lie in [0, 1), got "
            f"{imputer.validation_fraction!r}"
        )
