"""Matplotlib figures of a completed table."""

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from ambient_jax.report.figures import COLORS
from ambient_jax.report.numeric import kind, numbers, texts
from ambient_jax.tabular.frames.kinds import DATE_RANGE

MAX_PANELS = 24
"""Columns shown: eight lines of three, which a page still loads quickly."""

PANELS_PER_LINE = 3

MAX_DATE_TICKS = 6
"""More labels of dates than these would overlap in a panel."""

SHOWN_QUANTILES = (0.005, 0.995)
"""Histograms span these quantiles of the observed cells, so that outliers do not
squeeze all others into one bar; cells beyond count in the outermost bars."""

HISTOGRAM_EDGES = 40

MAX_BARS = 12
"""The most frequent categories are shown, as many as have room for a label."""

LABEL_LENGTH = 10
"""Characters to which labels of categories are cut."""

FIRST_DAY, LAST_DAY = date2num(DATE_RANGE) + np.array([1, -1])
"""Days since 1970 between which an axis must lie for Matplotlib to label its dates."""


def distributions(observed: pd.DataFrame, draw: pd.DataFrame) -> Figure:
    """Returns a figure that compares observed with imputed cells, column by column.

    Args:
      observed: the table with its missing cells. The first `MAX_PANELS` columns that
        have both missing and observed cells are shown.
      draw: the table with its missing cells drawn from the model.
    """
    missing = observed.isna()
    shown = [i for i in range(observed.shape[1])
             if missing.iloc[:, i].any() and not missing.iloc[:, i].all()]  # fmt: skip
    shown = shown[:MAX_PANELS]
    lines = -(-len(shown) // PANELS_PER_LINE) or 1
    figure = Figure(figsize=(10, 2.3 * lines), layout="constrained")
    for panel, i in enumerate(shown):
        axes = figure.add_subplot(lines, PANELS_PER_LINE, panel + 1)
        hidden = missing.iloc[:, i].to_numpy()
        before, after = observed.iloc[:, i], draw.iloc[:, i]
        values, drawn = numbers(before), numbers(after)
        if values is None or drawn is None:
            _bars(axes, before[~hidden], after[hidden].dropna())
        else:
            _histogram(axes, values[~hidden], drawn[hidden & ~np.isnan(drawn)])
        column_kind, (left, right) = kind(before), axes.get_xlim()
        if column_kind == "date" and left > FIRST_DAY and right < LAST_DAY:
            locator = AutoDateLocator(maxticks=MAX_DATE_TICKS)
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        unit = " (days)" if column_kind == "duration" else ""
        axes.set_title(f"{observed.columns[i]}{unit}", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
        axes.set_yticks([])
        if panel == 0 and axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=7, frameon=False)
    return figure


def _histogram(axes, observed: np.ndarray, imputed: np.ndarray) -> None:
    low, high = np.quantile(observed, SHOWN_QUANTILES)
    with np.errstate(over="ignore"):
        if not np.isfinite(high - low):
            return
    edges = np.linspace(low, high if high > low else low + 1, HISTOGRAM_EDGES)
    for values, label, color in ((observed, "observed", COLORS[0]),
                                 (imputed, "imputed (a draw)", COLORS[1])):  # fmt: skip
        weights = np.full(len(values), 1 / max(len(values), 1))
        axes.hist(np.clip(values, edges[0], edges[-1]), edges, weights=weights,
                  histtype="step", color=color, label=label, lw=1.3)  # fmt: skip


def _bars(axes, observed: pd.Series, imputed: pd.Series) -> None:
    observed, imputed = texts(observed), texts(imputed)
    names = observed.value_counts().index[:MAX_BARS]
    positions = np.arange(len(names))
    groups = ((observed, "observed", -0.2), (imputed, "imputed (a draw)", 0.2))
    for color, (values, label, shift) in zip(COLORS, groups):
        share = values.value_counts(normalize=True)
        axes.bar(positions + shift, share.reindex(names).fillna(0.0), 0.4, color=color,
                 label=label)  # fmt: skip
    labels = [str(name)[:LABEL_LENGTH] for name in names]
    axes.set_xticks(positions, labels, rotation=60, ha="right")


def calibration(levels: np.ndarray) -> Figure:
    """Returns the calibration curve of the model's central intervals.

    Args:
      levels: for each held-out cell, the level in [0, 1] of the smallest central
        interval that contains its value; see `tabular.calibration`.
    """
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
