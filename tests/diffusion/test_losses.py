"""Easy loss: what counts, what it estimates, and that nothing hidden leaks."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from ambient_jax.diffusion.masked import absorbing, likelihood
from ambient_jax.diffusion.masked.losses import (
    cross_entropy,
    easy_loss,
    low_discrepancy_times,
)
from ambient_jax.diffusion.masked.schedules import SCHEDULES, elbo_weight
from ambient_jax.keys import row_keys
from ambient_jax.types import bind
from tests.toys import Table, joint, rows_of


def ones(shape):
    return jnp.ones(shape, jnp.float32)


def test_only_observed_and_masked_tokens_count():
    x = jnp.array([[0, 1, 2, 0]])  # the third was never observed
    z = jnp.array([[2, 1, 2, 2]])
    logits = jnp.zeros((1, 4, 2))
    loss = easy_loss(logits, x, z, ones((1, 4)), ones((1, 1)), 2)
    np.testing.assert_allclose(loss, 2 * np.log(2) / 3, rtol=1e-6)
    grad = jax.grad(lambda a: easy_loss(a, x, z, ones((1, 4)), ones((1, 1)), 2))(logits)
    assert np.abs(grad[0, [1, 2]]).max() == 0
    assert np.abs(grad[0, [0, 3]]).min() > 0


def test_nothing_known_gives_zero_and_finite_gradients():
    x = jnp.full((2, 3), 2)
    loss, grad = jax.value_and_grad(
        lambda a: easy_loss(a, x, x, ones((2, 3)), ones((2, 1)), 2)
    )(jnp.zeros((2, 3, 2)))
    chex.assert_trees_all_equal((loss, grad), (jnp.zeros(()), jnp.zeros((2, 3, 2))))


def test_extreme_logits_stay_finite():
    logits = jnp.array([[[1e4, -1e4], [-1e4, 1e4]]])
    x = jnp.array([[1, 2]])
    value, grad = jax.value_and_grad(lambda a: cross_entropy(a, x).sum())(logits)
    chex.assert_tree_all_finite((value, grad))


def test_low_discrepancy_times_are_spread():
    t = np.sort(np.asarray(low_discrepancy_times(jax.random.key(0), 64, 0.1))[:, 0])
    assert t.min() >= 0.1
    assert t.max() <= 1
    np.testing.assert_allclose(np.diff(t), 0.9 / 64, atol=1e-5)


def test_loss_levels_and_chain_rule_agree_for_every_schedule():
    """The time integral, the strata of n and the chain rule are one number."""
    network, params = Table.exact(joint(4))
    # A wrong model, so that the orders of the chain rule differ.
    params = params + 0.5 * jax.random.normal(jax.random.key(9), params.shape)
    x = jnp.asarray(rows_of(joint(4), 4096, np.random.default_rng(0)), jnp.int32)
    everywhere = jnp.ones(x.shape, bool)
    denoise = bind(network, params)
    keys = row_keys(jax.random.key(1), jnp.arange(len(x)))
    chain = np.asarray(likelihood.chain_rule(denoise, x, everywhere, keys))
    error = chain.std() / np.sqrt(len(x))
    levels = likelihood.elbo_by_level(denoise, x, everywhere, keys, 10)
    assert abs(levels.mean() - chain.mean()) < 5 * error

    for number, kind in enumerate(SCHEDULES.values()):
        schedule = kind()

        @jax.jit
        def loss(key, schedule=schedule):
            k_t, k_u = jax.random.split(key)
            t = low_discrepancy_times(k_t, len(x), 1e-4)
            u = jax.random.uniform(k_u, x.shape)
            z = absorbing.forward(u, x, schedule.alpha(t), 2)
            weight = elbo_weight(schedule, t)
            return easy_loss(denoise(z), x, z, ones(x.shape), weight, 2)

        keys = jax.random.split(jax.random.key(100 + number), 20)
        losses = [4 * float(loss(key)) for key in keys]
        assert abs(np.mean(losses) - chain.mean()) < 8 * error, kind.__name__


def test_elbo_of_the_exact_model_is_the_entropy():
    p = joint(4)
    network, params = Table.exact(p)
    x = jnp.asarray(rows_of(p, 4096, np.random.default_rng(0)), jnp.int32)
    keys = row_keys(jax.random.key(1), jnp.arange(len(x)))
    everywhere = jnp.ones(x.shape, bool)
    chain = likelihood.chain_rule(bind(network, params), x, everywhere, keys)
    exact = -np.log(p[tuple(np.asarray(x).T)])
    np.testing.assert_allclose(chain, exact, atol=1e-4)
    levels = likelihood.elbo_by_level(bind(network, params), x, everywhere, keys, 10)
    assert abs(levels.mean() - exact.mean()) < 0.03


def test_conditional_score_leaves_the_other_tokens_visible():
    """-log p(x_1, x_2 | x_0, x_3), exact."""
    p = joint(4)
    network, params = Table.exact(p)
    x = jnp.asarray(rows_of(p, 500, np.random.default_rng(0)), jnp.int32)
    scored = jnp.broadcast_to(jnp.array([False, True, True, False]), x.shape)
    keys = row_keys(jax.random.key(1), jnp.arange(len(x)))
    found = likelihood.chain_rule(bind(network, params), x, scored, keys)
    index = tuple(np.asarray(x).T)
    given = p.sum(axis=(1, 2))[index[0], index[3]]
    np.testing.assert_allclose(found, -np.log(p[index] / given), atol=1e-4)
