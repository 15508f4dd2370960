"""The page of a completed table, `report.html`: self-contained, readable offline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ambient_jax.files import write_text
from ambient_jax.report import table_figures
from ambient_jax.report.missingness import dependences
from ambient_jax.report.numeric import numbers
from ambient_jax.report.page import embed, render
from ambient_jax.report.table_verdict import table_verdict

MOSTLY_MISSING = 0.9
"""Share of missing cells above which the page warns of a column."""

NUM_PAIRS = 8
"""Pairs of columns whose correlations are listed."""


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """The contents of the page.

    Attributes:
      name: name of the file.
      observed: the table with its missing cells.
      completed: the table with one value in each missing cell.
      draw: the table with its missing cells drawn from the model, or `completed` if
        there is no draw.
      outcome: what training came to, in a few words; may be empty.
      history: nats per held-out cell, one per evaluation; empty where none was judged.
      levels: for each held-out cell, the level of the smallest central interval that
        contains its value; see `tabular.calibration`.
      seconds: duration of the fit.
      notes: warnings of reading the file and of the fit.
    """

    name: str
    observed: pd.DataFrame
    completed: pd.DataFrame
    draw: pd.DataFrame
    outcome: str
    history: Sequence[float]
    levels: np.ndarray
    seconds: float
    notes: tuple[str, ...] = ()


def write_table_report(path: Path, report: TableReport) -> None:
    """Writes the page to `path`."""
    images = {
        "distributions": table_figures.distributions(report.observed, report.draw)
    }
    if len(report.levels):
        images["calibration"] = table_figures.calibration(report.levels)
    found, changed = dependences(report.observed), pairs(report)
    html = render(
        "table.html", report=report, columns=_columns(report), pairs=changed,
        warnings=[*report.notes, *_warnings(report.observed)], dependences=found,
        verdict=table_verdict(
            observed=report.observed, completed=report.completed,
            history=report.history, levels=report.levels, dependences=found,
            pairs=changed,
        ),
        images={name: embed(f, None, name) for name, f in images.items()},
    )  # fmt: skip
    write_text(path, html)


def _columns(report: TableReport) -> list[dict[str, object]]:
    share = report.observed.isna().mean().to_numpy()
    left = report.completed.isna().sum().to_numpy()
    return [
        {"name": str(name), "dtype": str(report.observed.dtypes.iloc[i]),
         "missing": float(share[i]), "left": int(left[i])}
        for i, name in enumerate(report.observed.columns)
    ]  # fmt: skip


def _warnings(frame: pd.DataFrame) -> list[str]:
    share = frame.isna().mean()
    lines = []
    for name, value in share.items():
        if value == 1:
            lines.append(f"{name}: no cell is observed; it stays as it is")
        elif value > MOSTLY_MISSING:
            lines.append(f"{name}: {value:.0%} missing; what fills it is mostly model")
    return lines


def pairs(report: TableReport) -> list[tuple[str, str, float, float]]:
    """Returns the pairs of columns whose rank correlation the imputation changed most.

    Returns:
      Tuples of two names, Spearman's correlation over the rows in which both columns
      are observed, and the correlation in the drawn table.
    """
    before, after = _numbers(report.observed), _numbers(report.draw)
    numeric = before.columns.intersection(after.columns)
    if len(numeric) < 2:
        return []
    before, after = (
        t.loc[:, numeric].corr("spearman").to_numpy() for t in (before, after)
    )
    names = [str(report.observed.columns[i]) for i in numeric]
    rows, columns = np.triu_indices(len(numeric), 1)
    change = np.nan_to_num(np.abs(after - before)[rows, columns])
    largest = np.argsort(-change)[:NUM_PAIRS]
    return [
        (names[rows[k]], names[columns[k]],
         float(before[rows[k], columns[k]]), float(after[rows[k], columns[k]]))
        for k in largest if change[k] > 0
    ]  # fmt: skip


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the columns of numbers and dates, as numbers, named by their indices."""
    columns = {i: numbers(frame.iloc[:, i]) for i in range(frame.shape[1])}
    return pd.DataFrame({i: v for i, v in columns.items() if v is not None})
