"""How well do priors fit? Their own likelihood, without any diffusion.

python -m benchmarks.priors --data=digits [--steps=800] [--members=1]

`valid` are the nats of the observed cells of validation rows, which need no hidden
truth; `test` those of complete test rows, an exact likelihood of the finite mixture.
`seconds` is CPU time of the fit, compilation included.
"""

import argparse
import dataclasses
import time

from ambient_jax.assembly.priors import PriorSettings
from ambient_jax.data.dataset import Dataset
from ambient_jax.evaluation import estimate
from ambient_jax.experiment import build
from ambient_jax.family import Prior
from ambient_jax.mesh import make_mesh
from ambient_jax.priors.latent import LatentPrior
from ambient_jax.training.prior_fit import PriorFit
from configs import em_only

BATCH = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="as after the config's colon")
    parser.add_argument("--steps", type=int, default=PriorSettings.steps)
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--only", default="", help="a part of the names to run")
    options = parser.parse_args()
    dataset = build.dataset(em_only.get_config(options.data))
    shape, values = dataset.train.shape, dataset.train.num_values
    print(f"{'prior':28} {'steps':>6} {'valid':>8} {'test':>16} {'seconds':>8}")
    for name, prior in variants(shape, values, options.steps, options.members).items():
        if options.only in name:
            print(f"{name:28} {line(prior, dataset)}", flush=True)


def variants(shape, values: int, steps: int, members: int) -> dict[str, Prior]:
    """The priors by name, and the latent one with one thing changed."""

    def made(name: str) -> Prior:
        settings = PriorSettings(name=name, members=members, steps=steps)
        return settings.build(shape, values)

    def changed(**fields) -> Prior:
        decoder = dataclasses.replace(latent.decoder, **fields)
        return dataclasses.replace(latent, decoder=decoder)

    latent = made("latent")
    assert isinstance(latent, LatentPrior)
    smoothing = latent.decoder.smoothing
    return {
        "independent": made("independent"),
        "factors": made("factors"),
        "latent": latent,
        "latent, not smoothed": changed(smoothing=0.0),
        "latent, half the smoothing": changed(smoothing=0.5 * smoothing),
        "latent, twice the smoothing": changed(smoothing=2 * smoothing),
        "latent, without dropout": changed(dropout=0.0),
        "latent, 16 latents": changed(latents=16),
    }


def line(prior: Prior, dataset: Dataset) -> str:
    """Fits a prior and returns its figures."""
    clock = time.process_time()
    fit = PriorFit(prior, dataset.train, make_mesh(), BATCH, seed=0)
    state = fit.fitted()
    seconds = time.process_time() - clock
    valid = fit.nats(state, dataset.valid.tokens).mean()
    test = "-"
    if dataset.held_out is not None and dataset.held_out.complete:
        nats = fit.nats(state, dataset.held_out.test)
        figures = dict(estimate.mean("test", nats))
        test = f"{figures['test']:.2f} +- {figures['test_se']:.2f}"
    return f"{int(state.step):6d} {valid:8.3f} {test:>16} {seconds:8.0f}"


if __name__ == "__main__":
    main()
