"""Texts that mean missing in columns of objects, text and categories of a frame."""

import warnings
from collections.abc import Iterable

import pandas as pd
from pandas.api import types as pdt

from ambient_jax.tabular.frames.kinds import holds_text
from ambient_jax.tabular.text.objects import find_markers, without_markers


def markers_by_position(
    frame: pd.DataFrame, markers: Iterable[str] | None
) -> dict[int, tuple[str, ...]]:
    """Returns the texts that mean missing, by the position of the column.

    Args:
      frame: the frame of fit.
      markers: texts that mean missing in every column that can hold text. None: those
        found by `find_markers`, with a warning.
    """
    dtypes = list(frame.dtypes)
    if markers is not None:
        given = tuple(text.strip() for text in markers)
        return {i: given for i, dtype in enumerate(dtypes) if given and (
            holds_text(dtype) or isinstance(dtype, pd.CategoricalDtype))}  # fmt: skip
    found, shown = {}, []
    for i, dtype in enumerate(dtypes):
        counts = find_markers(frame.iloc[:, i]) if holds_text(dtype) else {}
        if counts:
            found[i] = tuple(counts)
            shown += [f"{text!r} in column {frame.columns[i]!r} (cells: {n})"
                      for text, n in counts.items()]  # fmt: skip
    if found:
        warnings.warn(
            "texts among numbers or dates are taken for missing cells: "
            f"{', '.join(shown)}; missing_markers sets what is",
            UserWarning, stacklevel=4,
        )  # fmt: skip
    return found


def mark_missing(
    frame: pd.DataFrame, markers: dict[int, tuple[str, ...]]
) -> pd.DataFrame:
    """Returns the frame with missing cells where `markers_by_position` says so."""
    changed = {
        i: without_markers(frame.iloc[:, i], texts) for i, texts in markers.items()
        if not pdt.is_numeric_dtype(frame.dtypes.iloc[i])
    }  # fmt: skip
    if not changed:
        return frame
    series = [changed[i] if i in changed else frame.iloc[:, i]
              for i in range(frame.shape[1])]  # fmt: skip
    out = pd.concat(series, axis=1)
    out.columns = frame.columns
    return out
