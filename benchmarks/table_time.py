"""Seconds of `AmbientImputer` on a table of 20,000 rows and 17 columns, 30 % missing.

python -m benchmarks.table_time
"""

import time
import warnings

import jax
import numpy as np
import pandas as pd

from ambient_jax import AmbientImputer
from ambient_jax.experiment.environment import peak_memory_mib, use_few_cores_well
from benchmarks.table_data import folder


def main() -> None:
    use_few_cores_well()
    warnings.simplefilter("ignore")
    frame = pd.read_csv(folder() / "letter.csv")
    holes = np.random.default_rng(0).random(frame.shape) < 0.3
    frame = frame.astype(object).mask(holes).infer_objects()
    compiling: list[float] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: (
            compiling.append(seconds) if event.startswith("/jax/core/compile") else None
        )
    )
    clock = time.perf_counter()
    imputer = AmbientImputer(random_state=0).fit(frame)
    print(
        f"fit of {frame.shape}: {time.perf_counter() - clock:.0f} s, of which tracing "
        f"and compilation took {sum(compiling):.1f} s"
    )
    for which in ("first", "second"):
        clock = time.perf_counter()
        imputer.transform(frame.iloc[:10_000])
        seconds = time.perf_counter() - clock
        print(f"transform of 10,000 rows, {which} time: {seconds:.2f} s")
    print(f"peak memory of the process {peak_memory_mib():.0f} MiB")


if __name__ == "__main__":
    main()
