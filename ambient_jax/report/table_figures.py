"""Matplotlib figures of a completed table. Each function returns a `Figure`."""

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from ambient_jax.report.figures import COLORS
from ambient_jax.report.numeric import kind, numbers, texts
from ambient_jax.tabular.frames.kinds import DATE_RANGE

MOST_PANELS = 24

FIRST, LAST = date2num(DATE_RANGE) + np.array([1, -1])
"""Days since 1970 between which an axis of dates must lie."""


def distributions(observed: pd.DataFrame, draw: pd.DataFrame) -> Figure:
    """Observed cells and the imputed ones of a draw, per column with holes."""
    missing = observed.isna()
    shown = [i for i in range(observed.shape[1])
             if missing.iloc[:, i].any() and not missing.iloc[:, i].all()]  # fmt: skip
    shown = shown[:MOST_PANELS]
    lines = -(-len(shown) // 3) or 1
    figure = Figure(figsize=(10, 2.3 * lines), layout="constrained")
    for at, i in enumerate(shown):
        axes = figure.add_subplot(lines, 3, at + 1)
        hole = missing.iloc[:, i].to_numpy()
        before, after = observed.iloc[:, i], draw.iloc[:, i]
        values, drawn = numbers(before), numbers(after)
        if values is None or drawn is None:
            _bars(axes, before[~hole], after[hole].dropna())
        else:
            _histogram(axes, values[~hole], drawn[hole & ~np.isnan(drawn)])
        what, (left, right) = kind(before), axes.get_xlim()
        if what == "date" and left > FIRST and right < LAST:
            axes.xaxis.set_major_locator(locator := AutoDateLocator(maxticks=6))
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        days = " (days)" if what == "duration" else ""
        axes.set_title(f"{observed.columns[i]}{days}", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
        axes.set_yticks([])
        if at == 0:
            axes.legend(fontsize=7, frameon=False)
    return figure


def _histogram(axes, seen: np.ndarray, filled: np.ndarray) -> None:
    low, high = np.quantile(seen, [0.005, 0.995])
    with np.errstate(over="ignore"):
        if not np.isfinite(high - low):
            return
    edges = np.linspace(low, high if high > low else low + 1, 40)
    for values, label, color in ((seen, "observed", COLORS[0]),
                                 (filled, "imputed (a draw)", COLORS[1])):  # fmt: skip
        weights = np.full(len(values), 1 / max(len(values), 1))
        axes.hist(np.clip(values, edges[0], edges[-1]), edges, weights=weights,
                  histtype="step", color=color, label=label, lw=1.3)  # fmt: skip


def _bars(axes, seen: pd.Series, filled: pd.Series) -> None:
    seen, filled = texts(seen), texts(filled)
    names = seen.value_counts().index[:12]
    place = np.arange(len(names))
    sides = ((seen, "observed", -0.2), (filled, "imputed (a draw)", 0.2))
    for color, (values, label, shift) in zip(COLORS, sides):
        share = values.value_counts(normalize=True)
        axes.bar(place + shift, share.reindex(names).fillna(0.0), 0.4, color=color,
                 label=label)  # fmt: skip
    axes.set_xticks(place, [str(name)[:10] for name in names], rotation=60, ha="right")


def calibration(levels: np.ndarray) -> Figure:
    """Share of held-out cells inside the model's central interval, by its level."""
    figure = Figure(figsize=(3.4, 3.0), layout="constrained")
    axes = figure.add_subplot()
    share = (np.arange(len(levels)) + 1) / max(len(levels), 1)
    axes.plot([0, 1], [0, 1], color="#999999", lw=1, ls="--")
    axes.plot(np.sort(levels), share, color=COLORS[0], lw=1.6)
    axes.set_xlabel("level of the model's interval", fontsize=9)
    axes.set_ylabel("share of held-out cells inside", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    return figure
