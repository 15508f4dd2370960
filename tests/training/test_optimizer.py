"""Muon moves kernels along orthogonal matrices and leaves the rest to AdamW."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax.contrib import MuonDimensionNumbers

from ambient_jax.networks.transformer import Transformer
from ambient_jax.networks.unet import UNet
from ambient_jax.training.optimizer import (
    FINAL_RATE,
    KINDS,
    make_optimizer,
    matrices,
)

SETTINGS = {
    "learning_rate": 0.01, "warmup_steps": 0, "total_steps": 10, "weight_decay": 0.0,
    "clip_norm": 1e9,
}  # fmt: skip


def updates(name, params, grads):
    optimizer = make_optimizer(kind=KINDS[name], **SETTINGS)
    return optimizer.update(grads, optimizer.init(params), params)[0]


@pytest.fixture(scope="module")
def unet():
    return UNet(shape=(6, 6), num_values=2, widths=(8, 16)).init(jax.random.key(0))


def test_a_kernel_moves_by_an_orthogonal_matrix_of_adams_size():
    """All singular values of the step are about equal, whatever the gradient's are."""
    u, _, v = np.linalg.svd(np.random.default_rng(0).normal(size=(4 * 12, 16)), False)
    steep = (u * np.logspace(0, -2, 16)) @ v
    grads = {"conv": {"kernel": jnp.asarray(steep.reshape(2, 2, 12, 16))}}
    params = jax.tree.map(jnp.zeros_like, grads)
    step = np.asarray(updates("muon", params, grads)["conv"]["kernel"]).reshape(48, 16)
    size = np.linalg.svd(step, compute_uv=False)
    assert size.max() < 2.0 * size.min()
    assert 0.5 * 0.2 * 0.01 < np.sqrt(np.mean(step**2)) < 2 * 0.2 * 0.01
    plain = updates("adamw", params, grads)["conv"]["kernel"]
    size = np.linalg.svd(np.asarray(plain).reshape(48, 16), compute_uv=False)
    assert size.max() > 2.0 * size.min()  # what sets the two apart


def by_name(tree, **kwargs):
    pairs = jax.tree_util.tree_flatten_with_path(tree, **kwargs)[0]
    return {jax.tree_util.keystr(path): value for path, value in pairs}


@pytest.mark.slow
def test_only_kernels_are_orthogonalised(unet):
    """The first step of Adam has one size for all numbers, whatever their gradients."""
    rng = np.random.default_rng(1)
    grads = jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), p.dtype), unet)
    steps, moved = (
        by_name(updates("muon", unet, grads)),
        by_name(matrices(unet), is_leaf=lambda x: isinstance(x, MuonDimensionNumbers)),
    )
    assert moved
    for name, step in steps.items():
        adam = np.ptp(np.abs(step)) < 1e-3 * np.abs(step).max()
        assert adam == (name not in moved), name


def test_axes_of_every_kernel():
    network = Transformer(length=5, num_values=3, width=16, depth=1, num_heads=2)
    axes = by_name(
        matrices(network.init(jax.random.key(0))),
        is_leaf=lambda x: isinstance(x, MuonDimensionNumbers),
    )
    found = {(v.reduction_axis, v.output_axis) for k, v in axes.items() if "query" in k}
    assert found == {((0,), (1, 2))}
    found = {(v.reduction_axis, v.output_axis) for k, v in axes.items() if "'out'" in k}
    assert found == {((0, 1), (2,))}
    assert all("kernel" in name for name in axes)


@pytest.mark.parametrize(("warmup", "total"), [(0, 10), (3, 10), (100, 400), (7, 1)])
def test_the_learning_rate_is_that_of_optax(warmup, total):
    numbers = SETTINGS | {"warmup_steps": warmup, "total_steps": total}
    optimizer = make_optimizer(**numbers)
    start = min(warmup, total // 2)
    expected = optax.warmup_cosine_decay_schedule(
        0.0, 0.01, start, max(total, 1), end_value=FINAL_RATE * 0.01
    )
    for step in range(total + 2):
        rate = float(optimizer.rate(jnp.int32(step)))
        assert rate == pytest.approx(float(expected(step)), rel=1e-4, abs=1e-9)
