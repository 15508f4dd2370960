"""Iterations of conjugate gradients for moment matching, by held-out training entries.

    python -m benchmarks.gaussian_iterations --rates=0.6

A tenth of the observed entries of the training digits is hidden from training, too.
For each number of iterations `gaussian_em` is trained on the rest, and judged by these
entries: RMSE of the mean of five draws, and coverage of the 90 % intervals of 19 draws
of a few rows. Test rows take no part.
"""

import argparse
import time

import jax
import numpy as np

from ambient_jax.assembly.assemble import assemble
from ambient_jax.assembly.gaussian import GaussianPriorSettings, GaussianSettings
from ambient_jax.assembly.settings import Settings
from ambient_jax.data.continuous import ContinuousData
from ambient_jax.data.load_continuous import ContinuousSource
from ambient_jax.data.missingness import MCAR
from ambient_jax.diffusion.gaussian.sampling import EdmSampler
from ambient_jax.evaluation.coverage import NUM_DRAWS, covered
from ambient_jax.inference.gaussian_functions import GaussianFunctions
from ambient_jax.mesh import make_mesh
from ambient_jax.networks.edm_mlp import EdmMlp
from ambient_jax.training.hooks import Quiet

NUM_MEANS = 5
"""Draws behind a mean."""


def settings(iterations: int, args: argparse.Namespace) -> Settings:
    """Those of `configs/gaussian_em.py`, shorter."""
    family = GaussianSettings(
        sampler=EdmSampler(num_steps=24, sigma_min=0.01, sigma_max=10.0),
        iterations=iterations,
    )
    return Settings(
        rounds=args.rounds, steps_per_round=args.steps, batch_size=128,
        estep_batch_size=256, optimizer="adamw", learning_rate=1e-3, warmup_steps=100,
        weight_decay=0.0, ema_decay=0.99, em_start=0.0, family=family,
        prior=GaussianPriorSettings(iterations=16), seed=args.seed,
    )  # fmt: skip


def judge(rows: np.ndarray, judged: np.ndarray, iterations: int, args) -> None:
    """Trains without the judged entries of scaled rows `[N, L]` and prints figures."""
    shown = np.where(judged, np.float32(np.nan), rows)
    data = ContinuousData(rows=shown, shape=(8, 8))
    network, made = EdmMlp(length=64, width=256, depth=4), settings(iterations, args)
    clock = time.process_time()
    trainer = assemble(network, data, made, make_mesh())
    progress = trainer.run(trainer.start(), Quiet())
    params = jax.device_get(trainer.sampling_params(progress))
    taken = time.process_time() - clock
    functions = GaussianFunctions(
        network, make_mesh(), 256, made.family.completer(made.plan, 0, 0.5)
    )

    def draws(count: int, few: slice) -> np.ndarray:
        part = shown[few]
        numbers = [np.full(len(part), i, np.uint32) for i in range(count)]
        key = jax.random.key(7)
        return np.stack(
            [functions.numbered_draw(params, key, part, i) for i in numbers]
        )

    few = slice(args.judged_rows)
    own = draws(NUM_MEANS, few).mean(axis=0)[judged[few]] - rows[few][judged[few]]
    some = slice(args.interval_rows)
    inside = covered(draws(NUM_DRAWS, some), rows[some], np.random.default_rng(0))
    error = (own**2).std() / np.sqrt(len(own))
    rmse = np.sqrt((own**2).mean())
    print(
        f"iterations {iterations}: rmse {rmse:.4f} ± {error / (2 * rmse):.4f} "
        f"(in units of which the data's sd is .5), coverage "
        f"{inside[judged[some]].mean():.3f}, {taken:.0f} CPU seconds of training",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rates", default="0.6")
    parser.add_argument("--iterations", default="1,2,3")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=150, help="of a round")
    parser.add_argument("--judged_rows", type=int, default=400)
    parser.add_argument("--interval_rows", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for rate in map(float, args.rates.split(",")):
        rows = ContinuousSource(source="digits", missingness=MCAR(rate=rate)).load()
        rows = rows.train.rows
        chosen = np.random.default_rng(args.seed).random(rows.shape) < 0.1
        judged = chosen & ~np.isnan(rows)
        print(f"# {rate:.0%} missing, {judged.sum()} entries are held out", flush=True)
        for iterations in map(int, args.iterations.split(",")):
            judge(rows, judged, iterations, args)


if __name__ == "__main__":
    main()
