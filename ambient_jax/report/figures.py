"""Matplotlib figures of a run."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ambient_jax.report.record import Curve, Record

MISSING_COLOR = (0.45, 0.60, 0.85)
"""Colour of a missing cell: blue, since values are grey."""

COLORS = ("#1b6ca8", "#d1495b", "#2e8b57", "#8d5fa8", "#c98a16", "#555555")
"""Colours of the runs in a figure, used again from the first if there are more runs."""

MARKED_POINTS = 30
"""Curves with fewer points show each by a dot."""


def to_rgb(rows: np.ndarray, num_values: int) -> np.ndarray:
    """Returns pictures `[N, H, W, 3]` in [0, 1], with missing cells in blue.

    Args:
      rows: `[N, H, W]` or `[N, L]` tokens 0..V-1, and MASK = V. Rows without a second
        axis become pictures of height 1.
      num_values: V.
    """
    pictures = rows.reshape(len(rows), -1, rows.shape[-1])
    missing = pictures == num_values
    grey = np.where(missing, 0, pictures) / (num_values - 1)
    return np.where(missing[..., None], MISSING_COLOR, grey[..., None])


def grid(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Tiles pictures `[N, H, W, 3]` into one, row by row, with white lines between."""
    n, h, w, _ = pictures.shape
    lines = -(-n // columns)
    out = np.ones((lines * (h + 1) - 1, columns * (w + 1) - 1, 3))
    for i, picture in enumerate(pictures):
        y, x = divmod(i, columns)
        out[y * (h + 1) : y * (h + 1) + h, x * (w + 1) : x * (w + 1) + w] = picture
    return out


def samples(record: Record) -> Figure:
    """Returns a figure of new rows drawn from the model."""
    p = record.pictures
    picture = grid(to_rgb(p["samples"], int(p["num_values"])), columns=8)
    figure = Figure(figsize=(5, 5 * picture.shape[0] / picture.shape[1]))
    _show(figure, picture)
    return figure


def completions(record: Record, which: str = "test", count: int = 10) -> Figure:
    """Returns a figure of rows as observed, completed, in the posterior mean, and true.

    Kinds that the run did not record are not shown.

    Args:
      which: `test` or `train` rows.
      count: maximum number of rows.
    """
    p = record.pictures
    values = int(p["num_values"])
    lines = []
    for kind in ("observed", "completed", "mean", "truth"):
        rows = p.get(f"{which}_{kind}")
        if rows is not None:
            shaped = rows.reshape(len(rows), -1, rows.shape[-1])[:count]
            rgb = (
                np.repeat(shaped[..., None], 3, axis=-1)
                if kind == "mean"
                else to_rgb(shaped, values)
            )
            lines.append((kind, rgb))
    shown = min(count, *(len(rgb) for _, rgb in lines))
    figure = Figure(figsize=(0.75 * shown + 0.9, 0.8 * len(lines)))
    for i, (kind, rgb) in enumerate(lines):
        axes = figure.add_subplot(len(lines), 1, i + 1)
        axes.imshow(grid(rgb[:shown], shown), interpolation="nearest", aspect="auto")
        axes.set_ylabel(kind, rotation=0, ha="right", va="center", fontsize=9)
        _without_axes(axes)
    figure.subplots_adjust(left=0.9 / (0.75 * shown + 0.9), right=1, top=1, bottom=0,
                           hspace=0.06)  # fmt: skip
    return figure


def curves(runs: Mapping[str, Mapping[str, Curve]], names: Sequence[str]) -> Figure:
    """Returns a figure with one panel per metric over the steps and one line per run.

    Args:
      runs: label -> metric -> curve. A curve `NAME_se` becomes a band around `NAME`.
      names: metrics to show; those that no run has are skipped.
    """
    shown = [n for n in names if any(n in run for run in runs.values())]
    columns = min(3, max(len(shown), 1))
    lines = -(-len(shown) // columns) or 1
    figure = Figure(figsize=(3.6 * columns, 2.6 * lines), layout="constrained")
    for i, name in enumerate(shown):
        axes = figure.add_subplot(lines, columns, i + 1)
        for color, (label, run) in zip(_colors(runs), runs.items(), strict=True):
            if name in run:
                steps, values = run[name]
                marker = "." if len(steps) < MARKED_POINTS else None
                axes.plot(
                    steps, values, color=color, label=label, lw=1.4, marker=marker
                )
                _error_band(axes, run, name, color)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("step", fontsize=8)
        _style(axes)
        if len(runs) > 1 and i == 0:
            axes.legend(fontsize=8, frameon=False)
    return figure


def nll_by_t(summaries: Mapping[str, Mapping]) -> Figure:
    """Returns a figure of the nats per row by the masked share t of the row."""
    figure = Figure(figsize=(4.6, 3.0), layout="constrained")
    axes = figure.add_subplot()
    for color, (label, summary) in zip(
        _colors(summaries), summaries.items(), strict=True
    ):
        levels = summary.get("test_nll_by_t") or {}
        t = [float(level) for level in levels]
        nats = [np.nan if value is None else value for value in levels.values()]
        axes.plot(t, nats, ".-", color=color, label=label, lw=1.4)
    axes.set_xlabel("masked share t (left: dense contexts)", fontsize=9)
    axes.set_ylabel("nats", fontsize=9)
    _style(axes)
    if len(summaries) > 1:
        axes.legend(fontsize=8, frameon=False)
    return figure


def _error_band(axes, run: Mapping[str, Curve], name: str, color: str) -> None:
    if f"{name}_se" in run:
        steps, values = run[name]
        error = np.asarray(run[f"{name}_se"][1][: len(values)])
        low, high = np.asarray(values) - error, np.asarray(values) + error
        axes.fill_between(steps, low, high, color=color, alpha=0.15, lw=0)


def _colors(runs) -> list[str]:
    return [COLORS[i % len(COLORS)] for i in range(len(runs))]


def _show(figure: Figure, picture: np.ndarray) -> None:
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(picture, interpolation="nearest")
    _without_axes(axes)


def _without_axes(axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _style(axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
