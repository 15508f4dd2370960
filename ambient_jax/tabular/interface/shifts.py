"""`delta`: what is added to imputed numbers, to see what MNAR would change."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.interface.inputs import position_of


def shifts_of(
    delta: Mapping[Any, float] | None, frame: pd.DataFrame, codec: TableCodec
) -> dict[int, float]:
    """`delta` by position in the frame.

    Raises:
      ValueError: a name that no column has, or a column that holds no numbers.
    """
    numeric = {column.position for column in codec.columns if column.numeric}
    shifts = {}
    for name, shift in (delta or {}).items():
        position = position_of(name, frame, "delta")
        if position not in numeric.union(codec.empty):
            raise ValueError(
                f"delta names column {name!r}, which holds categories: only "
                "numbers and dates can be shifted"
            )
        shifts[position] = float(shift)
    return shifts
