"""What this machine does at best: a matrix product, and one bare convolution."""

import statistics

import jax
import jax.numpy as jnp

from benchmarks.clock import clock


def measure(batch: int, side: int, width: int) -> dict[str, float]:
    """FLOP/s of a 1024^3 product and of a 3x3 convolution of the network's size."""
    k_a, k_x, k_kernel = jax.random.split(jax.random.key(0), 3)
    a = jax.random.normal(k_a, (1024, 1024))
    x = jax.random.normal(k_x, (batch, side, side, width))
    kernel = jax.random.normal(k_kernel, (3, 3, width, width))
    taps = (3 * side - 2) ** 2  # of a picture, without those that lie outside

    @jax.jit
    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    return {
        "1024 x 1024 matrix product": 2 * 1024**3 / seconds(jax.jit(jnp.dot), a, a),
        f"3x3 convolution {width} -> {width} at {side}x{side}": (
            2 * taps * width**2 * batch / seconds(convolve, x, kernel)
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
