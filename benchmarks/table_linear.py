"""What the two linear models of `AmbientImputer` are worth, each one taken away.

    python -m benchmarks.table_linear --rows=6000 --json=/tmp/linear.json
    python -m benchmarks.table_linear --tables=iris,wine,diabetes,breast_cancer \\
        --json=/tmp/linear_small.json
    python -m benchmarks.table_seeds /tmp/linear.json --figures=mae,rmse,acc,coverage

Variants, on the same rows and holes (`benchmarks/tables.py` has the protocol):
`ambient` as it is; `no_tails` without the tail extrapolation (the same fitted network,
calibrated anew); `no_factors` whose network starts from marginal shares, where it
would start from factors; `neither`.
"""

import argparse
import dataclasses
import json
import warnings
from pathlib import Path

import numpy as np

from ambient_jax import AmbientImputer, Recipe
from ambient_jax.tabular.calibration import calibrate
from ambient_jax.tabular.fitting.held_out import choose_excluded_rows
from benchmarks import table_data, table_metrics
from benchmarks.table_data import Task
from benchmarks.tables import ambient


def without_tails(imputer: AmbientImputer, task: Task) -> None:
    """Takes the tail extrapolation off a fitted imputer, and calibrates it again."""
    codec, recipe = imputer.codec_, imputer.recipe or Recipe()
    encoded = codec.encode(task.shown("train"))
    members = recipe.ensemble(len(encoded.tokens), codec.length)
    excluded_rows = choose_excluded_rows(
        encoded.tokens, codec.num_values, imputer.validation_fraction, members,
        imputer.seed_,
    )  # fmt: skip
    imputer.model_ = dataclasses.replace(imputer.model_, reach=None)
    imputer.calibration_ = calibrate(
        imputer.model_, encoded, excluded_rows, imputer.seed_
    )


def figures(imputer: AmbientImputer, task: Task) -> dict[str, float]:
    """Errors of medians and means, accuracy and coverage on the test rows."""
    shown = task.shown("test")
    median = imputer.set_params(statistic="median").transform(shown)
    mean = imputer.set_params(statistic="mean").transform(shown)
    intervals = imputer.predict_distribution(shown)
    squared = table_metrics.errors(task, "test", mean) ** 2
    return {
        "mae": float(np.abs(table_metrics.errors(task, "test", median)).mean()),
        "rmse": float(np.sqrt(squared.mean())),
        "acc": table_metrics.accuracy(task, "test", median),
        **table_metrics.interval_figures(task, intervals),
    }


def variants(task: Task, seed: int):
    """Yields `(variant, figures)`; a fit without factors only where there are some."""
    recipes = {("ambient", "no_tails"): Recipe()}
    if len(task.train) < Recipe().factor_rows:
        recipes["no_factors", "neither"] = Recipe(factor_rows=0)
    for (with_tails, without), recipe in recipes.items():
        imputer = ambient(task, recipe, seed)
        yield with_tails, figures(imputer, task)
        without_tails(imputer, task)
        yield without, figures(imputer, task)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", default=",".join(table_data.NAMES))
    parser.add_argument("--mechanism", default="mcar", choices=table_data.MECHANISMS)
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--seeds", default="1234,1,2,3")
    parser.add_argument("--rows", type=int, default=None, help="of each table; all")
    parser.add_argument("--json", type=Path, required=True, help="append lines here")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    for seed in map(int, args.seeds.split(",")):
        for table in args.tables.split(","):
            task = table_data.load(table, args.mechanism, args.rate, seed, args.rows)
            for name, found in variants(task, seed):
                line = {"table": table, "method": name, "seed": seed, **found}
                with args.json.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(line, flush=True)


if __name__ == "__main__":
    main()
