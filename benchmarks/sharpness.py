"""Is a model too sure or too unsure? The best temperature by share of masked cells.

python -m benchmarks.sharpness --workdir=RUN [--rows=800]

Complete test rows are masked at ten shares; `best T` is the temperature of the logits
under which the hidden cells are likeliest (1: calibrated; below 1: the model is too
unsure there), and `at best T` what the NLL would be. It needs the truth, so that it is
a diagnosis and takes part in no training.
"""

import argparse

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from ambient_jax.diffusion.masked.losses import cross_entropy
from benchmarks import finished

TEMPERATURES = np.exp(np.linspace(np.log(0.4), np.log(1.6), 57))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True, help="a finished run")
    parser.add_argument("--rows", type=int, default=800, help="test rows to look at")
    options = parser.parse_args()
    made, params = finished.load(options.workdir)
    held_out = made.dataset.held_out
    if held_out is None or not held_out.complete:
        parser.error("the run has no complete test rows")
    x = held_out.test[: options.rows]
    functions, rng = made.suite.evaluators.functions, np.random.default_rng(0)
    print(f"{'masked':>7} {'NLL':>7} {'best T':>7} {'at best T':>10}")
    for level in range(10):
        share = (level + 0.5) / 10
        hidden = rng.random(x.shape) < share
        z = np.where(hidden, held_out.mask, x).astype(x.dtype)
        logits = functions.logits(params, jax.random.key(0), z)[hidden]
        own, *nats = (x.shape[1] * mean_nats(logits, x[hidden], temperature)
                      for temperature in (1.0, *TEMPERATURES))  # fmt: skip
        best = int(np.argmin(nats))
        print(f"{share:7.2f} {own:7.2f} {TEMPERATURES[best]:7.2f} {nats[best]:10.2f}")


@jax.jit
def mean_nats(
    logits: Float[Array, "M V"], values: Int[Array, " M"], temperature: float
) -> Float[Array, ""]:
    """Mean nats of the values of cells under `logits / temperature`."""
    return cross_entropy(logits / temperature, values).mean()


if __name__ == "__main__":
    main()
