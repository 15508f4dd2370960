"""DiffPuter in its own protocol beside AmbientImputer; one command, one table.

    python -m benchmarks.table_diffputer --rows=1500
    python -m benchmarks.table_diffputer --rows=1500 --mechanisms=mar --methods=ambient

Protocol (arXiv 2405.20690): 70 / 30 split after `np.random.seed(1234)`, 30 % of the
cells hidden, errors in-sample: of the hidden cells of the rows that were fitted, in
units of the observed cells' standard deviation, pooled over numeric cells. `coverage`
is the share of these cells inside 90 % intervals, which the lowest and highest of 19
draws span; `transform_s` are the seconds of one completion. MAE of `ambient` is of the
median, RMSE of the mean; DiffPuter has one estimate for both.
"""

import argparse
import time
import warnings

import numpy as np

from ambient_jax import AmbientImputer, DiffPuterImputer, DiffPuterRecipe
from ambient_jax.evaluation.coverage import NUM_DRAWS
from benchmarks import table_data, table_metrics
from benchmarks.table_data import Task

COLUMNS = ("mae", "rmse", "acc", "coverage", "fit_s", "transform_s")


def judge(task: Task, imputer, statistics: tuple[str, ...]) -> dict[str, float]:
    """In-sample figures of an imputer.

    Args:
      task: the table.
      imputer: not fitted.
      statistics: what `transform` is to fill in for MAE and for RMSE; empty: the
        imputer has one estimate.
    """
    shown = task.shown("train").astype(dict.fromkeys(task.numeric, float))
    clock = time.perf_counter()
    imputer.fit(shown)
    figures = {"fit_s": time.perf_counter() - clock}
    filled = []
    clock = time.perf_counter()
    for statistic in statistics:
        filled.append(imputer.set_params(statistic=statistic).transform(shown))
    if not statistics:
        filled.append(imputer.transform(shown))
    figures["transform_s"] = (time.perf_counter() - clock) / len(filled)
    median, mean = filled[0], filled[-1]
    draws = imputer.sample_imputations(shown, num_draws=NUM_DRAWS)
    return figures | {
        "mae": np.abs(table_metrics.errors(task, "train", median)).mean(),
        "rmse": np.sqrt((table_metrics.errors(task, "train", mean) ** 2).mean()),
        "acc": table_metrics.accuracy(task, "train", median),
        "coverage": table_metrics.coverage(task, "train", draws),
    }


def methods(task: Task, args: argparse.Namespace) -> dict:
    """Imputers by name, each with the statistics of `judge`."""
    columns = {"categorical_features": task.categorical,
               "numeric_features": task.numeric}  # fmt: skip
    recipe = DiffPuterRecipe(
        iterations=args.iterations, num_draws=args.num_draws, width=args.width
    )

    def diffputer(corrected: bool):
        return DiffPuterImputer(
            corrected=corrected, recipe=recipe, random_state=args.seed, **columns
        )

    return {
        "diffputer": (diffputer(False), ()),
        "corrected": (diffputer(True), ()),
        "ambient": (
            AmbientImputer(
                categorical_features=task.categorical, random_state=args.seed
            ),
            ("median", "mean"),
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", default="california")
    parser.add_argument("--mechanisms", default="mcar,mar")
    parser.add_argument("--methods", default="diffputer,corrected,ambient")
    parser.add_argument("--rows", type=int, default=None, help="of each table; all")
    parser.add_argument("--seed", type=int, default=1234)
    recipe = DiffPuterRecipe()
    parser.add_argument("--iterations", type=int, default=recipe.iterations)
    parser.add_argument("--num_draws", type=int, default=recipe.num_draws)
    parser.add_argument("--width", type=int, default=recipe.width)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(vars(args))
    print(" | ".join(["table     ", "mechanism", f"{'method':>10}",
                      *(f"{c:>11}" for c in COLUMNS)]), flush=True)  # fmt: skip
    for table in args.tables.split(","):
        for mechanism in args.mechanisms.split(","):
            task = table_data.load(table, mechanism, 0.3, args.seed, args.rows)
            made = methods(task, args)
            for name in args.methods.split(","):
                found = judge(task, *made[name])
                cells = [f"{found[c]:>11.3f}" for c in COLUMNS]
                print(" | ".join([f"{table:10}", f"{mechanism:>9}", f"{name:>10}",
                                  *cells]), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
