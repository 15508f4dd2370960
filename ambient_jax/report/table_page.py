"""report.html of a completed table: self-contained, readable offline."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ambient_jax.files import write_text
from ambient_jax.report import table_figures
from ambient_jax.report.missingness import dependences
from ambient_jax.report.numeric import numbers
from ambient_jax.report.page import embed, render

MOSTLY_MISSING = 0.9
PAIRS = 8


@dataclass(frozen=True, kw_only=True)
class TableReport:
    """What the page shows.

    Attributes:
      name: of the file.
      observed: the table with its holes.
      completed: with one value in each.
      draw: one posterior draw.
      history: nats per held-out cell along the training.
      levels: of the calibration, see `tabular.calibration`.
      seconds: of the fit.
      notes: what reading the file and the fit warned of.
    """

    name: str
    observed: pd.DataFrame
    completed: pd.DataFrame
    draw: pd.DataFrame
    history: list[float]
    levels: np.ndarray
    seconds: float
    notes: tuple[str, ...] = ()


def write_table_report(path: Path, report: TableReport) -> None:
    """Writes the page."""
    images = {
        "distributions": table_figures.distributions(report.observed, report.draw)
    }
    if len(report.levels):
        images["calibration"] = table_figures.calibration(report.levels)
    html = render(
        "table.html", report=report, columns=_columns(report), pairs=pairs(report),
        warnings=[*report.notes, *_warnings(report.observed)],
        dependences=dependences(report.observed),
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
    """Pairs whose rank correlation the imputation changed most.

    `(one, other, correlation of rows where both are observed, in the drawn table)`.
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
    best = np.argsort(-change)[:PAIRS]
    return [
        (names[rows[k]], names[columns[k]],
         float(before[rows[k], columns[k]]), float(after[rows[k], columns[k]]))
        for k in best if change[k] > 0
    ]  # fmt: skip


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Its columns of numbers and dates, as numbers; named by their positions."""
    found = {i: numbers(frame.iloc[:, i]) for i in range(frame.shape[1])}
    return pd.DataFrame({i: v for i, v in found.items() if v is not None})
