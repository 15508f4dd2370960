"""Columns that are nearly functions of others: errors in units of the noise.

python -m benchmarks.table_relations [--max_epochs=N]

`circles` has a radius (lognormal, .6), a perimeter and an area with a relative noise of
a thousandth, an unrelated column and one that is half the log radius plus noise. `sums`
has c = a + b with a noise of a thousandth of b's deviation. Of 3,500 rows 2,500 are
fitted and 20 % of the cells are missing. Cells count that the visible ones of their row
determine. RMSE (of means) and MAE (of medians) are in deviations of the column.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

from ambient_jax import AmbientImputer

ROWS, FITTED, MISSING, NOISE = 3500, 2500, 0.2, 1e-3
Table = tuple[pd.DataFrame, list[str], int]


def circles(rng: np.random.Generator) -> Table:
    """The table, its related columns, and how many others determine one of them."""
    radius = rng.lognormal(0, 0.6, ROWS)
    noise = 1 + NOISE * rng.normal(size=(2, ROWS))
    frame = pd.DataFrame({
        "radius": radius, "perimeter": 2 * np.pi * radius * noise[0],
        "area": np.pi * radius**2 * noise[1], "unrelated": rng.normal(size=ROWS),
        "half": 0.5 * np.log(radius) + 0.3 * rng.normal(size=ROWS),
    })  # fmt: skip
    return frame, ["radius", "perimeter", "area"], 1


def sums(rng: np.random.Generator) -> Table:
    """See `circles`."""
    a, b = rng.gamma(2, size=ROWS), 2 * rng.normal(size=ROWS)
    frame = pd.DataFrame({
        "a": a, "b": b, "c": a + b + 2 * NOISE * rng.normal(size=ROWS),
        "d": 0.3 * a + rng.normal(size=ROWS),
    })  # fmt: skip
    return frame, ["a", "b", "c"], 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--max_epochs", type=int, default=None)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'':18} {'RMSE':>9} {'iterative':>9} {'MAE':>9} {'90 % cover':>10}")
    for number, make in enumerate((circles, sums)):
        frame, related, needed = make(np.random.default_rng(number))
        hidden = np.random.default_rng(9).random(frame.shape) < MISSING
        shown = frame.mask(hidden)
        judge(frame, shown, related, needed, options.max_epochs)


def judge(
    frame: pd.DataFrame, shown: pd.DataFrame, related: list[str], needed: int,
    max_epochs: int | None,
) -> None:  # fmt: skip
    """Prints one line per related column."""
    imputer = AmbientImputer(random_state=0, max_epochs=max_epochs)
    imputer.fit(shown[:FITTED])
    new = shown[FITTED:].reset_index(drop=True)
    mean = imputer.set_params(statistic="mean").transform(new)
    median = imputer.set_params(statistic="median").transform(new)
    intervals = imputer.predict_distribution(new)
    linear = IterativeImputer(random_state=0).fit(shown[:FITTED]).transform(new)
    other = pd.DataFrame(linear, columns=frame.columns)
    truth = frame[FITTED:].reset_index(drop=True)
    for name in related:
        others = new[[c for c in related if c != name]].notna().sum(axis=1)
        rows = new.index[new[name].isna() & (others >= needed)]
        sd = truth[name].std()
        error = [
            (full[name] - truth[name])[rows] / sd for full in (mean, other, median)
        ]
        own = intervals[intervals["column"] == name].set_index("row_position").loc[rows]
        inside = own["q0.05"].le(truth[name][rows]) & own["q0.95"].ge(truth[name][rows])
        print(
            f"{name:18} {np.sqrt((error[0] ** 2).mean()):9.5f} "
            f"{np.sqrt((error[1] ** 2).mean()):9.5f} {error[2].abs().mean():9.5f} "
            f"{inside.mean():10.3f}", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
