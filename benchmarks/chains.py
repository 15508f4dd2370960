"""Are warm chains as good as fresh draws? Both from one finished run's model.

python -m benchmarks.chains --workdir=RUN [--rounds=8] [--rows=1000]

Every round refreshes the same training rows by the run's E-step settings at temperature
1, warm (`em.fraction` of the missing cells) and afresh, without training in between.
`completion_nll_nats` of both must agree; `forwards` is what a round costs.
"""

import argparse
import dataclasses

import jax
import numpy as np

from ambient_jax.evaluation.estimate import mean
from ambient_jax.experiment.setup import Setup
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.training.estep import EStep, EStepDriver
from ambient_jax.types import Params
from benchmarks import finished


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True, help="a finished run with EM")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--rows", type=int, default=1000)
    options = parser.parse_args()
    made, params = finished.load(options.workdir)
    compare(made, params, options.rows, options.rounds)


def compare(made: Setup, params: Params, rows: int, rounds: int) -> None:
    """Prints a line per round: NLL of warm and of fresh completions, and their cost."""
    draws = dataclasses.replace(
        made.trainer.estep.completer, temperature=1.0, warming_rounds=None
    )
    chains = {
        "warm": draws,
        "fresh": dataclasses.replace(
            draws, fraction=1.0, refresh_sampler=draws.initial_sampler
        ),
    }
    train, functions = made.dataset.train, made.suite.evaluators.functions
    data = dataclasses.replace(train, tokens=train.tokens[:rows])
    drivers, drawn = {}, {}
    for name, completer in chains.items():
        settings = EStep(start_round=0, completer=completer)
        drivers[name] = EStepDriver(
            functions.denoiser, data, settings, made.mesh, functions.batch_size, seed=1
        )
        drawn[name] = data.tokens.copy()
        print(f"forwards a round, {name}: {completer.refresh_sampler.passes}")
    print(f"{'round':>5} " + " ".join(f"{name:>15}" for name in chains))
    for round_ in range(rounds + 1):
        texts = []
        for name, driver in drivers.items():
            list(driver.run(params, drawn[name], round_))
            texts.append(nats(functions, params, drawn[name], round_))
        print(f"{round_:>5} " + " ".join(f"{text:>15}" for text in texts), flush=True)


def nats(functions: RowFunctions, params: Params, x: np.ndarray, round_: int) -> str:
    """`completion_nll_nats` with its standard error; the same maskings for both."""
    key = jax.random.key(round_)
    levels = functions.elbo(params, key, x, np.ones(x.shape, bool))
    (_, value), (_, error) = mean("nats", levels.mean(axis=1))
    return f"{value:.2f} +- {error:.2f}"


if __name__ == "__main__":
    main()
