"""What this machine does at best: a matrix product, and one bare convolution."""

import statistics

import jax
import jax.numpy as jnp

from benchmarks.clock import clock


def measure(batch: int, side: int, width: int) -> dict[str, float]:
    """FLOP/s of a 1024^3 product and of a 3x3 convolution of the network's size."""
    a = jnp.ones((1024, 1024), jnp.float32)
    x = jnp.ones((batch, side, side, width), jnp.float32)
    kernel = jnp.ones((3, 3, width, width), jnp.float32)

    @jax.jit
    def convolve(x):
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    return {
        "1024 x 1024 matrix product": 2 * 1024**3 / seconds(jax.jit(jnp.dot), a, a),
        f"3x3 convolution {width} -> {width} at {side}x{side}": (
            2 * 9 * width**2 * batch * side**2 / seconds(convolve, x)
        ),
    }


def seconds(function, *arguments, repeats: int = 9) -> float:
    """Median time of one call."""
    times = []
    for _ in range(repeats + 1):
        start = clock()
        jax.block_until_ready(function(*arguments))
        times.append(clock() - start)
    return statistics.median(times[1:])
