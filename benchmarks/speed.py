"""Train step and E-step against naive versions, as ratios within one run.

python -m benchmarks.speed [--side=8] [--widths=32,64] [--batch=128] [--repeats=9]

Each pair runs in turns (A B A B ...), so that a busy machine slows both alike; a ratio
is the median over the turns. On CPU, times are CPU seconds of the process. Expected
ratios are put together from the measured times of the bare parts: forward, forward +
backward, and the whole bare step.
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ambient_jax import keys, mesh
from ambient_jax.data.dataset import IncompleteData
from ambient_jax.diffusion.masked.consistency import Consistency
from ambient_jax.diffusion.masked.losses import cross_entropy
from ambient_jax.diffusion.masked.objective import MaskedObjective
from ambient_jax.experiment import build
from ambient_jax.experiment.environment import (
    use_compilation_cache,
    use_few_cores_well,
)
from ambient_jax.family import Batch
from ambient_jax.networks.unet import UNet
from ambient_jax.training.estep import EStep, EStepDriver
from ambient_jax.training.optimizer import make_optimizer
from ambient_jax.training.state import init_state
from ambient_jax.training.train_step import compile_train_step
from benchmarks import floors
from benchmarks.clock import clock
from configs import em_consistency

Action = Callable[[], object]
FORMS = {
    "none": None,
    "kl": Consistency(),
    "martingale": Consistency(form="martingale", stop="noisier"),
}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What is measured: network, rows and sizes."""

    denoiser: UNet
    data: IncompleteData
    batch_size: int
    estep: EStep
    estep_batch_size: int

    @property
    def batch(self) -> Batch:
        """The first rows on the device; completions are random values."""
        tokens = self.data.tokens[: self.batch_size]
        values = np.random.default_rng(1).integers(0, 2, tokens.shape)
        completion = np.where(tokens == 2, values, tokens).astype(tokens.dtype)
        return mesh.put_rows(mesh.make_mesh(1), Batch(tokens, completion))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=8)
    parser.add_argument("--widths", default="32,64")
    parser.add_argument("--dtype", default="float32", help="bfloat16 on a GPU")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    use_few_cores_well()
    use_compilation_cache()
    bench = make(options)
    print(f"{jax.devices()[0].device_kind}, JAX {jax.__version__}; {describe(bench)}")
    print(f"{'measured':46} {'ratio':>7} {'expected':>9} {'target':>8}")
    parts = bare_parts(bench, options.repeats)
    train_rows(bench, parts, options.repeats)
    estep_rows(bench, options.repeats)
    traffic(bench)
    flops(bench, parts)


def make(options: argparse.Namespace) -> Bench:
    """Synthetic binary pictures, 80 % missing; E-step settings of the digits run."""
    side, rng = options.side, np.random.default_rng(0)
    config = em_consistency.get_config("digits")
    x = rng.integers(0, 2, (4 * 256, side * side))
    tokens = np.where(rng.random(x.shape) < 0.8, 2, x).astype(np.uint8)
    return Bench(
        denoiser=UNet(
            shape=(side, side), num_values=2,
            widths=tuple(map(int, options.widths.split(","))), dtype=options.dtype,
        ),
        data=IncompleteData(tokens=tokens, shape=(side, side), num_values=2),
        batch_size=options.batch,
        estep=build.settings(config).estep(missing_share=0.6),
        estep_batch_size=256,
    )  # fmt: skip


def describe(bench: Bench) -> str:
    params = jax.eval_shape(bench.denoiser.init, jax.random.key(0))
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    side = bench.denoiser.shape[0]
    return f"{side}x{side}, {size:,} parameters, batch {bench.batch_size}"


def interleaved(actions: dict[str, Action], repeats: int) -> dict[str, list[float]]:
    """Seconds of each action per turn, after one turn that compiles and warms up."""
    found: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(repeats + 1):
        for name, action in actions.items():
            start = clock()
            jax.block_until_ready(action())
            if turn:
                found[name].append(clock() - start)
    return found


def ratio(times: dict[str, list[float]], top: str, bottom: str) -> float:
    """Median over the turns of `top / bottom`."""
    pairs = zip(times[top], times[bottom], strict=True)
    return statistics.median(a / b for a, b in pairs)


def row(name: str, value: float, expected: float | None, target: str) -> None:
    shown = "" if expected is None else f"{expected:.2f}"
    print(f"{name:46} {value:7.2f} {shown:>9} {target:>8}", flush=True)


def optimizer() -> optax.GradientTransformation:
    return make_optimizer(
        learning_rate=1e-3, warmup_steps=10, total_steps=10_000, weight_decay=0.01,
        clip_norm=1.0,
    )  # fmt: skip


def bare_functions(bench: Bench) -> dict[str, Action]:
    """Forward, forward + backward, and those with the optimizer; nothing else."""
    made = optimizer()
    x = bench.batch.completion.astype(jnp.int32)
    z = bench.batch.rows.astype(jnp.int32)
    params = bench.denoiser.init(jax.random.key(0))
    moving = [jax.tree.map(jnp.copy, params), made.init(params)]

    def loss(params, z, x):  # arguments: XLA would fold constants in advance
        return jnp.mean(cross_entropy(bench.denoiser.apply(params, z), x))

    def step(params, opt_state, z, x):
        value, grads = jax.value_and_grad(loss)(params, z, x)
        updates, opt_state = made.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, value

    forward = jax.jit(bench.denoiser.apply)
    backward, stepped = jax.jit(jax.grad(loss)), jax.jit(step, donate_argnums=(0, 1))

    def bare_step():
        moving[0], moving[1], value = stepped(*moving, z, x)
        return value

    return {
        "forward": lambda: forward(params, z),
        "backward": lambda: backward(params, z, x),
        "step": bare_step,
    }


def ours(bench: Bench, form: Consistency | None) -> Action:
    """One call of the library's train step, its state donated and replaced."""
    made, devices = optimizer(), mesh.make_mesh(1)
    objective = MaskedObjective(consistency=form, consistency_weight=1.0)
    step = compile_train_step(
        devices,
        denoiser=bench.denoiser,
        optimizer=made,
        ema_decay=0.999,
        objective=objective,
    )
    key = jax.device_put(
        keys.derive(0, keys.Purpose.TRAIN_STEP), mesh.replicated(devices)
    )
    state = [init_state(bench.denoiser, objective, made, jax.random.key(0))]
    batch = bench.batch

    def one():
        state[0], metrics = step(state[0], batch, key)
        return metrics["loss"]

    return one


def bare_parts(bench: Bench, repeats: int) -> dict[str, float]:
    """Median seconds of the bare functions."""
    times = interleaved(bare_functions(bench), repeats)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def train_rows(bench: Bench, parts: dict[str, float], repeats: int) -> None:
    """The train step of each consistency form against the bare step."""
    row("gradient / forward", parts["backward"] / parts["forward"], 3.0, "")
    bare = bare_functions(bench)["step"]
    extra = {"none": 0.0, "kl": parts["forward"], "martingale": 2 * parts["backward"]}
    targets = {"none": "<= 1.10", "kl": "", "martingale": ""}
    actions = {"bare": bare} | {name: ours(bench, form) for name, form in FORMS.items()}
    times = interleaved(actions, repeats)
    for name in FORMS:
        expected = 1.0 + extra[name] / parts["step"]
        label = f"train step / bare step, consistency {name}"
        row(label, ratio(times, name, "bare"), expected, targets[name])


def estep_rows(bench: Bench, repeats: int) -> None:
    """Forward passes per second inside the E-step against bare ones; warm against
    fresh."""
    params = bench.denoiser.init(jax.random.key(0))
    settings, forward = bench.estep, jax.jit(bench.denoiser.apply)
    z = jnp.asarray(bench.data.tokens[: bench.estep_batch_size], jnp.int32)
    batches = len(bench.data) // bench.estep_batch_size
    fresh, warm = (settings.completer.program(first).passes for first in (True, False))
    passes = batches * warm
    driver = EStepDriver(
        bench.denoiser, bench.data, replace(settings, start_round=0, row_share=1.0),
        mesh.make_mesh(1), bench.estep_batch_size, seed=0,
    )  # fmt: skip
    completions = bench.data.tokens.copy()
    times = interleaved(
        {
            "fresh": lambda: list(driver.run(params, completions, 0)),
            "warm": lambda: list(driver.run(params, completions, 1)),
            "forward": lambda: [forward(params, z) for _ in range(passes)],
        },
        max(3, repeats // 2),
    )
    row("E-step rows/s x reveals / bare forward",
        ratio(times, "forward", "warm"), 1.0, ">= 0.90")  # fmt: skip
    row("fresh E-step / warm E-step, per round", ratio(times, "fresh", "warm"),
        fresh / warm, ">= 3.00")  # fmt: skip


def traffic(bench: Bench) -> None:
    """Bytes of each batch from host to device, by its arrays' sizes.

    Between the edges there are none: `Trainer` and `RowMap` run under a transfer guard.
    """
    step = sum(leaf.nbytes for leaf in jax.tree.leaves(bench.batch))
    estep = 2 * bench.estep_batch_size * bench.data.tokens.shape[1]
    estep += 4 * bench.estep_batch_size
    print(f"host to device: {step:,} bytes per train step; {estep:,} per E-step batch "
          f"(and {estep // 2:,} back), none per reveal")  # fmt: skip


def flops(bench: Bench, parts: dict[str, float]) -> None:
    """Achieved GFLOP/s of the forward pass beside matrix product and convolution."""
    z = bench.batch.rows.astype(jnp.int32)
    params = bench.denoiser.init(jax.random.key(0))
    compiled = jax.jit(bench.denoiser.apply).lower(params, z).compile()
    analysis = compiled.cost_analysis() or {}
    count = float(analysis.get("flops", float("nan")))
    print(f"forward: {count / 1e6:.0f} MFLOP per batch "
          f"({count / bench.batch_size / 1e6:.2f} per row), "
          f"{count / parts['forward'] / 1e9:.1f} GFLOP/s")  # fmt: skip
    side, width = bench.denoiser.shape[0], bench.denoiser.widths[0]
    for name, rate in floors.measure(bench.batch_size, side, width).items():
        print(f"floor, {name}: {rate / 1e9:.1f} GFLOP/s")


if __name__ == "__main__":
    main()
