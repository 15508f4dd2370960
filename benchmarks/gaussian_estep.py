"""DiffPuter's E-step as one compiled loop beside a plain Python loop, in one run.

    python -m benchmarks.gaussian_estep

Both complete the same rows by the mean of draws, with the same network and method. The
compiled one loops over draws, levels and resamplings inside one program
(`RepaintCompleter`). The plain one is written as DiffPuter's own code is: three nested
loops in Python, in which every array operation, those of the network included, is
dispatched by itself. `plain, compiled network` is the same with the network compiled.
The ratio is that of CPU seconds per E-step; compilation is left out.
"""

import argparse
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from ambient_jax.diffusion.gaussian.repaint import RepaintCompleter
from ambient_jax.keys import row_keys
from ambient_jax.tabular.gaussian.recipe import DiffPuterRecipe
from ambient_jax.types import bind
from benchmarks.clock import clock

TARGET = 3.0
"""Least ratio of the plain loop's seconds to those of the compiled one."""


def plain_mean(apply, params, values, observed, completer: RepaintCompleter, key):
    """The mean of draws by nested Python loops."""
    sampler, levels = completer.sampler, np.asarray(completer.sampler.levels)
    total = jnp.zeros_like(values)

    def estimate(x, sigma):
        return apply(params, x, jnp.full((len(x), 1), sigma, jnp.float32))

    for _ in range(completer.num_draws):
        key, own = jax.random.split(key)
        x = jnp.where(observed, values, 0.0)
        x = x + sampler.sigma_max * jax.random.normal(own, values.shape)
        for sigma, lower in itertools.pairwise(levels):
            for again in range(completer.resamplings):
                key, known, back = jax.random.split(key, 3)
                slope = (x - estimate(x, sigma)) / sigma
                moved = x + (lower - sigma) * slope
                if lower > 0:
                    after = (moved - estimate(moved, lower)) / lower
                    moved = x + (lower - sigma) * (slope + after) / 2
                noise = jax.random.normal(known, values.shape)
                x = jnp.where(observed, values + lower * noise, moved)
                if again + 1 < completer.resamplings:
                    raised = jax.random.normal(back, values.shape)
                    x = x + jnp.sqrt(sigma**2 - lower**2) * raised
        total = total + x
    return total / completer.num_draws


def seconds(call, repeats: int) -> float:
    """Median seconds of a call, after a first one that compiles."""
    jax.block_until_ready(call())
    taken = []
    for _ in range(repeats):
        begin = clock()
        jax.block_until_ready(call())
        taken.append(clock() - begin)
    return float(np.median(taken))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=512, help="of one call")
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--num_draws", type=int, default=3, help="behind a mean")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    recipe, rng = DiffPuterRecipe(), np.random.default_rng(0)
    completer = recipe.completer(args.num_draws)
    network = recipe.network(args.columns)
    params = network.init(jax.random.key(0))
    shape = (args.rows, args.columns)
    values = jnp.asarray(0.5 * rng.normal(size=shape), jnp.float32)
    observed = jnp.asarray(rng.random(shape) < 0.7)
    key = jax.random.key(1)
    keys = row_keys(key, jnp.arange(args.rows, dtype=jnp.uint32))

    @jax.jit
    def compiled(params, values, observed, keys):
        return completer.complete(bind(network, params), values, observed, keys)

    print(f"{args.rows} rows of {args.columns} cells, {completer.describe(0)}")
    one = seconds(lambda: compiled(params, values, observed, keys), args.repeats)
    print(f"one compiled loop: {one:.2f} s", flush=True)
    kinds = {"plain": (network.apply, f" (target >= {TARGET})"),
             "plain, compiled network": (jax.jit(network.apply), "")}  # fmt: skip
    for name, (apply, target) in kinds.items():
        many = seconds(
            lambda f=apply: plain_mean(f, params, values, observed, completer, key),
            args.repeats,
        )
        print(f"{name}: {many:.2f} s, ratio {many / one:.2f}{target}", flush=True)


if __name__ == "__main__":
    main()
