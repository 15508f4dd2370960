"""Peak memory of a training against the number of rows N, one process each.

python -m benchmarks.memory [--rows=1000,10000,60000] [--side=14]

Each process makes N binary pictures with 90 % missing, loads them as a user would, and
does two rounds of a few steps, with an E-step over all rows. Only N differs.
"""

import argparse
import resource
import subprocess
import sys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="1000,10000,60000")
    parser.add_argument("--side", type=int, default=14)
    parser.add_argument("--one", type=int, help="internal: measure this N here")
    options = parser.parse_args()
    if options.one is not None:
        print(peak_after_training(options.one, options.side))
        return
    print(f"{options.side}x{options.side} pictures; a row of tokens is "
          f"{options.side**2} bytes")  # fmt: skip
    print(f"{'rows':>8} {'peak MiB':>9} {'bytes per further row':>22}")
    before: tuple[int, int] | None = None
    for rows in map(int, options.rows.split(",")):
        peak = in_a_process(rows, options.side)
        growth = "" if before is None else (
            f"{(peak - before[1]) / (rows - before[0]):.0f}"
        )  # fmt: skip
        print(f"{rows:>8} {peak / 2**20:>9.0f} {growth:>22}", flush=True)
        before = rows, peak


def in_a_process(rows: int, side: int) -> int:
    """Peak bytes of a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", f"--one={rows}", f"--side={side}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout.split()[-1])


def peak_after_training(rows: int, side: int) -> int:
    """Trains in this process; returns its peak resident bytes."""
    import numpy as np

    import ambient_jax as aj

    x = np.random.default_rng(0).integers(0, 2, (rows, side, side), dtype=np.uint8)
    data = aj.load_data(x, missingness=aj.MCAR(rate=0.9), num_test=100)
    denoiser = aj.build_denoiser(data, widths=(8, 8), num_heads=1, bottom_blocks=1)
    few = aj.Sampler(num_reveals=2)
    family = aj.MaskedSettings(initial_sampler=few, refresh_sampler=few)
    aj.fit(data, denoiser, aj.Fit(rounds=2, steps_per_round=4, family=family))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
