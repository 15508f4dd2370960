"""Means over seeds of what `benchmarks/tables.py --json=FILE` wrote, and differences.

    python benchmarks/tables.py --seeds=1,2,3,4 --tables=wine --json=/tmp/wine.json
    python -m benchmarks.table_seeds /tmp/wine.json --figures=mae,rmse,coverage

Every seed is another split and other holes, the same for all methods. `mean ± se` over
the seeds is followed, for a peer, by the mean of `peer - ambient` seed by seed, ± its
standard error: a difference of two methods has a far smaller error than each figure.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

OURS = "ambient"


def read(paths: list[Path]) -> pd.DataFrame:
    """One line per table, method and seed; of a repeated one the last."""
    lines = pd.concat([pd.read_json(path, lines=True) for path in paths])
    return lines.drop_duplicates(["table", "method", "seed"], keep="last")


def mean_and_error(values: np.ndarray) -> str:
    """`mean ± standard error`, without the error where there is one value."""
    if not len(values):
        return ""
    mean = f"{values.mean():.3f}"
    if len(values) < 2:
        return mean
    return f"{mean} ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}"


def summary(lines: pd.DataFrame, figures: list[str]) -> pd.DataFrame:
    """One line per table and method, one cell per figure."""
    found = []
    lines = lines.reindex(columns=lines.columns.union(figures))
    for table, of_table in lines.groupby("table", sort=False):
        ours = of_table[of_table["method"] == OURS].set_index("seed")
        for method, own in of_table.groupby("method", sort=False):
            own = own.set_index("seed")
            cells = {"table": table, "method": method, "seeds": len(own)}
            for name in figures:
                cells[name] = mean_and_error(own[name].dropna().to_numpy(float))
                apart = (own[name] - ours[name]).dropna().to_numpy(float)
                if method != OURS and len(apart):
                    cells[name] += f" ({mean_and_error(apart)})"
            found.append(cells)
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, help="of --json")
    parser.add_argument("--figures", default="mae,rmse,acc,coverage")
    args = parser.parse_args()
    found = summary(read(args.files), args.figures.split(","))
    for cells in (found.columns, ["---"] * found.shape[1], *found.to_numpy()):
        print("| " + " | ".join(map(str, cells)) + " |")


if __name__ == "__main__":
    main()
