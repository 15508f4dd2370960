"""The clock of the benchmarks."""

import time

import jax


def clock() -> float:
    """Seconds. On CPU those of the process: other processes cost it none."""
    on_cpu = jax.default_backend() == "cpu"
    return time.process_time() if on_cpu else time.perf_counter()
