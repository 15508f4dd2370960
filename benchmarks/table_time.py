"""Processor seconds of `AmbientImputer`, compilation included.

python -m benchmarks.table_time [--only=small|large]

`small` are tables that come with scikit-learn or are drawn here, `large` is letter, of
20,000 rows and 17 columns. 30 % of the cells are missing. The first line of each is of
a process that has compiled nothing yet; switch a cache of compiled programs off.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import jax
import numpy as np
import pandas as pd
from sklearn.datasets import load_iris

from ambient_jax import AmbientImputer
from ambient_jax.experiment.environment import peak_memory_mib, use_few_cores_well
from benchmarks.table_data import folder

COMPILATIONS: list[tuple[bool, float]] = []
"""Whether a program was compiled (and not traced only), and the seconds, so far."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("small", "large"), help="default: both")
    options = parser.parse_args()
    use_few_cores_well()
    warnings.simplefilter("ignore")
    jax.monitoring.register_event_duration_secs_listener(_note)
    print(f"{'':44} {'CPU s':>7} {'compiling':>9} {'programs':>8}")
    if options.only != "large":
        small()
    if options.only != "small":
        large()
    print(f"peak memory of the process {peak_memory_mib():.0f} MiB")


def small() -> None:
    """Iris twice, with other rows the second time, and draws of a wider table."""
    iris = with_holes(load_iris(as_frame=True).frame, 0)
    clocked("fit of iris, first time", lambda: fit(iris))
    imputer = clocked("fit of 140 rows of iris", lambda: fit(iris.iloc[10:]))
    thousand = with_holes(pd.concat([iris] * 7).iloc[:1000], 1)
    clocked("transform of 1,000 rows, first time", lambda: imputer.transform(thousand))
    clocked("transform of 1,000 rows, second time", lambda: imputer.transform(thousand))
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(1000, 4)) @ rng.normal(size=(4, 10))
    wide = with_holes(pd.DataFrame(mixed + rng.normal(size=mixed.shape)), 2)
    imputer = clocked("fit of 1,000 x 10 numbers", lambda: fit(wide))
    for which in ("first", "second"):
        clocked(f"20 draws of its 1,000 rows, {which} time",
                lambda: imputer.sample_imputations(wide, num_draws=20))  # fmt: skip


def large() -> None:
    """20,000 rows of 17 columns."""
    letter = with_holes(pd.read_csv(folder() / "letter.csv"), 0)
    imputer = clocked("fit of letter, 20,000 x 17", lambda: fit(letter))
    for which in ("first", "second"):
        clocked(f"transform of 10,000 rows, {which} time",
                lambda: imputer.transform(letter.iloc[:10_000]))  # fmt: skip


def with_holes(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    holes = np.random.default_rng(seed).random(frame.shape) < 0.3
    return frame.astype(object).mask(holes).infer_objects()


def fit(frame: pd.DataFrame) -> AmbientImputer:
    return AmbientImputer(random_state=0).fit(frame)


def clocked(name: str, call: Callable):
    """Prints the processor seconds of a call, and returns its result."""
    COMPILATIONS.clear()
    clock = time.process_time()
    result = call()
    seconds = time.process_time() - clock
    programs = sum(kind for kind, _ in COMPILATIONS)
    compiling = sum(taken for _, taken in COMPILATIONS)
    print(f"{name:44} {seconds:7.2f} {compiling:9.2f} {programs:8d}", flush=True)
    return result


def _note(event: str, seconds: float, **_) -> None:
    if event.startswith("/jax/core/compile"):
        COMPILATIONS.append((event.endswith("backend_compile_duration"), seconds))


if __name__ == "__main__":
    main()
