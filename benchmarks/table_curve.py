"""Seconds against rows, and seconds against error, of `benchmarks/tables.py --json`.

    for rows in 500 2000 6000; do
      python benchmarks/tables.py --tables=letter --rows=$rows --json=/tmp/curve.json
    done
    python -m benchmarks.table_curve /tmp/curve.json --output=table_time.png

One machine must have made all lines, one after another. Seconds are those of `fit`,
compilation included, and of `transform` of the test rows.
"""

import argparse
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLORS = {"ambient": "#1b6ca8", "iterative": "#c98a16", "knn": "#8d5fa8",
          "forest": "#2e8b57", "miceforest": "#d1495b", "hyperimpute": "#555555",
          "mean/mode": "#999999"}  # fmt: skip


def read(paths: list[Path]) -> pd.DataFrame:
    """One line per table, method and number of rows: means over the seeds."""
    lines = pd.concat([pd.read_json(path, lines=True) for path in paths])
    lines["seconds"] = lines["fit_s"] + lines["transform_s"]
    kinds = ["table", "method", "rows"]
    return lines.groupby(kinds, sort=False)[["seconds", "mae"]].mean().reset_index()


def draw(lines: pd.DataFrame) -> Figure:
    """Left: seconds by rows. Right: MAE by seconds; a point's size grows with rows."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for method, own in lines.groupby("method", sort=False):
        own = own.sort_values("rows")
        color = COLORS.get(str(method), "#000000")
        name = "AmbientImputer" if method == "ambient" else str(method)
        left.plot(own["rows"], own["seconds"], "o-", color=color, label=name)
        sizes = 12 + 60 * own["rows"] / lines["rows"].max()
        right.plot(own["seconds"], own["mae"], "-", color=color, lw=0.8)
        right.scatter(own["seconds"], own["mae"], sizes, color=color)
    _label(left, "rows", "seconds (fit and transform)")
    _label(right, "seconds (fit and transform)", "MAE in standard deviations")
    left.set_yscale("log")
    left.legend(fontsize=8)
    return figure


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xscale("log")
    axes.grid(alpha=0.3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, help="of --json; one table")
    parser.add_argument("--output", type=Path, required=True, help="the picture")
    args = parser.parse_args()
    lines = read(args.files)
    figure = draw(lines)
    figure.suptitle(" and ".join(map(str, lines["table"].unique())), fontsize=10)
    figure.savefig(args.output, dpi=130)
    wide = lines.pivot_table(index=["table", "method"], columns="rows", sort=False)
    print(wide.round(3).to_string())


if __name__ == "__main__":
    main()
