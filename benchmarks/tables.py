"""AmbientImputer beside its peers on five tables; one command, one table of figures.

    python benchmarks/tables.py                         # all of it: hours
    python benchmarks/tables.py --rows=6000 --tables=california,letter --methods=ambient
    python benchmarks/tables.py --tables=diabetes,wine,iris,breast_cancer
    python benchmarks/tables.py --ablation --rows=6000  # easy / + EM / + consistency

Protocol (DiffPuter's): 70 / 30 split after `np.random.seed(1234)`, 30 % of the cells
hidden in both parts, errors pooled over hidden numeric cells in units of the observed
training cells' standard deviation. MAE is of the median, RMSE of the mean; peers have
one estimate for both. `in` are the training rows, `out` rows that were not fitted.
`downstream` is the accuracy of boosted trees trained on the completed training rows
(of `ambient` the medians) and asked of the completed test rows; `true_rows` of the test
rows without holes. An imputed cell gives away something of what they predict, where
the imputer has seen it; with `blind` none has, as in a `Pipeline`.
`held_out` are the nats of an observed cell of rows held out of the fit: what settings
are chosen by.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ambient_jax import AmbientImputer, Recipe
from ambient_jax.experiment.environment import peak_memory_mib
from benchmarks import table_data, table_metrics
from benchmarks.table_data import Task
from benchmarks.table_peers import MORE_PEERS, PEERS

ABLATION = {
    "easy": Recipe(em_start=1.0, consistency_weight=0.0),
    "easy+EM": Recipe(em_start=0.5, consistency_weight=0.0),
    "easy+EM+consistency": Recipe(em_start=0.5, consistency_weight=1.0),
}
ALL_PEERS = PEERS | MORE_PEERS
COLUMNS = ("table", "method", "mae_in", "rmse_in", "acc_in", "mae", "rmse", "acc",
           "log_loss", "coverage", "width", "energy", "density", "downstream",
           "true_rows", "blind", "held_out", "fit_s", "transform_s")  # fmt: skip


def judge_peer(task: Task, name: str, seed: int, downstream: bool) -> dict[str, float]:
    """Figures of one estimate per cell."""
    clock = time.perf_counter()
    complete = ALL_PEERS[name](task, seed)
    fit_s = time.perf_counter() - clock
    train = complete(task.shown("train"))
    clock = time.perf_counter()
    test = complete(task.shown("test"))
    figures = {"fit_s": fit_s, "transform_s": time.perf_counter() - clock}
    return figures | _figures(task, (train, train), (test, test), test, downstream)


def judge_ambient(
    task: Task, recipe: Recipe | None, seed: int, downstream: bool
) -> dict[str, float]:
    """Figures of `AmbientImputer`: mean, median, intervals, one draw."""
    clock = time.perf_counter()
    imputer = ambient(task, recipe, seed)
    fit_s = time.perf_counter() - clock
    shown = {w: task.shown(w) for w in ("train", "test")}
    filled = {}
    for which, frame in shown.items():
        # Statistics are rounded to a whole number only where the dtype asks for it.
        for statistic in ("mean", "median"):
            imputer.set_params(statistic=statistic)
            filled[which, statistic] = imputer.transform(frame)
    clock = time.perf_counter()
    imputer.transform(shown["test"])
    transform_s = time.perf_counter() - clock
    draw = imputer.sample_imputations(shown["test"], num_draws=1)[0]
    intervals = imputer.predict_distribution(shown["test"])
    pairs = [(filled[w, "median"], filled[w, "mean"]) for w in ("train", "test")]
    return {
        "held_out": min(imputer.history_), "fit_s": fit_s, "transform_s": transform_s,
        **_figures(task, *pairs, draw, downstream),
        **table_metrics.interval_figures(task, intervals),
    }  # fmt: skip


def ambient(task: Task, recipe: Recipe | None, seed: int) -> AmbientImputer:
    """`AmbientImputer` fitted on the training rows."""
    codes = [c for c in table_data.CODES.get(task.name, []) if c in task.train]
    return AmbientImputer(
        categorical_features=codes, recipe=recipe, random_state=seed
    ).fit(task.shown("train"))


def blind(task: Task, name: str, recipe: Recipe | None, seed: int) -> float:
    """`downstream` where the imputer has not seen the target."""
    target = table_data.TARGETS[task.name]
    bare = task.without(target)
    if name in ALL_PEERS:
        complete = ALL_PEERS[name](bare, seed)
    else:
        complete = ambient(bare, recipe, seed).set_params(statistic="median").transform
    train, test = (complete(bare.shown(w)) for w in ("train", "test"))
    return table_metrics.downstream(task, train, [test], target)[0]


def _figures(task, train, test, draw, downstream) -> dict[str, float]:
    found = {}
    for which, suffix, (median, mean) in (("train", "_in", train), ("test", "", test)):
        absolute = np.abs(table_metrics.errors(task, which, median)).mean()
        squared = (table_metrics.errors(task, which, mean) ** 2).mean()
        found[f"mae{suffix}"], found[f"rmse{suffix}"] = absolute, np.sqrt(squared)
        found[f"acc{suffix}"] = table_metrics.accuracy(task, which, median)
    found["energy"] = table_metrics.energy_distance(task, "test", draw)
    found["density"] = table_metrics.density_error(task, "test", draw)
    if downstream:
        target = table_data.TARGETS[task.name]
        found["downstream"], found["true_rows"] = table_metrics.downstream(
            task, train[0], [test[0], task.test], target
        )
    return {name: float(value) for name, value in found.items()}


def line(values: dict) -> str:
    """One line of the table."""
    cells = [values.get(c, float("nan")) for c in COLUMNS]
    return " | ".join(
        f"{v:>20}" if isinstance(v, str) else f"{v:>11.3f}" for v in cells
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", default=",".join(table_data.NAMES))
    parser.add_argument("--methods", default=",".join(["ambient", *PEERS]))
    parser.add_argument("--mechanism", default="mcar", choices=table_data.MECHANISMS)
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--seeds", default="1234", help="of split, holes, fit: 1,2,3")
    parser.add_argument("--rows", type=int, default=None, help="of each table; all")
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--downstream", action="store_true")
    parser.add_argument("--blind", action="store_true", help="fits everything twice")
    parser.add_argument("--json", type=Path, default=None, help="append lines here")
    return parser.parse_args()


def main() -> None:
    args = parse()
    warnings.simplefilter("ignore")
    print(
        f"# {args.mechanism} {args.rate:.0%}, seeds {args.seeds}, "
        f"rows {args.rows or 'all'}"
    )
    print(" | ".join(f"{c:>20}" if c in ("table", "method") else f"{c:>11}"
                     for c in COLUMNS), flush=True)  # fmt: skip
    tables = args.tables.split(",")
    if (args.downstream or args.blind) and not set(tables) <= set(table_data.TARGETS):
        sys.exit(f"--downstream and --blind know {', '.join(table_data.TARGETS)}")
    for seed in map(int, args.seeds.split(",")):
        for table in tables:
            judge(table, seed, args)
    print(f"# peak memory of the process {peak_memory_mib():.0f} MiB")


def judge(table: str, seed: int, args: argparse.Namespace) -> None:
    """Prints one line per method, and appends it to `--json`."""
    methods = ABLATION if args.ablation else dict.fromkeys(args.methods.split(","))
    task = table_data.load(table, args.mechanism, args.rate, seed, args.rows)
    for name, recipe in methods.items():
        if name in ALL_PEERS:
            figures = judge_peer(task, name, seed, args.downstream)
        else:
            figures = judge_ambient(task, recipe, seed, args.downstream)
        if args.blind:
            figures["blind"] = blind(task, name, recipe, seed)
        values = {"table": table, "method": name, **figures}
        print(line(values), flush=True)
        if args.json:
            run = {n: getattr(args, n) for n in ("mechanism", "rate", "rows")}
            with args.json.open("a") as file:
                file.write(json.dumps(run | {"seed": seed} | values) + "\n")


if __name__ == "__main__":
    main()
