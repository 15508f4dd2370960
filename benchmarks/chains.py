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

from ambient_jax.evaluation.compiled import Compiled
from ambient_jax.evaluation.estimate import mean
from ambient_jax.experiment.setup import Setup
from ambient_jax.training.estep import Completer, EStep
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
    settings = dataclasses.replace(
        made.trainer.estep, first_round=0, rows=1.0, temperature=1.0,
        warming_rounds=None,
    )  # fmt: skip
    data = dataclasses.replace(
        made.dataset.train, tokens=made.dataset.train.tokens[:rows]
    )
    compiled = made.suite.compiled

    def drawn(estep: EStep, completions: np.ndarray, round_: int) -> np.ndarray:
        completer = Completer(
            compiled.denoiser, data, estep, made.mesh, compiled.batch_size, 1
        )
        list(completer.run(params, completions, round_))
        return completions

    warm = drawn(settings, data.tokens.copy(), 0)
    print(f"forwards a round: warm {cost(settings, warm=True)}, "
          f"fresh {cost(settings, warm=False)}")  # fmt: skip
    print(f"{'round':>5} {'warm':>15} {'fresh':>15}")
    for round_ in range(rounds + 1):
        if round_:
            warm = drawn(settings, warm, round_)
        again = dataclasses.replace(settings, first_round=round_)
        fresh = drawn(again, data.tokens.copy(), round_)
        texts = [nats(compiled, params, x, round_) for x in (warm, fresh)]
        print(f"{round_:>5} {texts[0]:>15} {texts[1]:>15}", flush=True)


def cost(settings: EStep, warm: bool) -> int:
    """Forward passes of one refresh."""
    sampler = settings.sampler if warm else settings.first
    return sampler.num_reveals + sampler.corrector_sweeps


def nats(compiled: Compiled, params: Params, x: np.ndarray, round_: int) -> str:
    """`completion_nll_nats` with its standard error; the same maskings for both."""
    key = jax.random.key(round_)
    levels = compiled.elbo(params, key, x, np.ones(x.shape, bool))
    (_, value), (_, error) = mean("nats", levels.mean(axis=1))
    return f"{value:.2f} +- {error:.2f}"


if __name__ == "__main__":
    main()
