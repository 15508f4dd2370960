"""Forward kernel and reverse step: marginals, nesting, Bayes, exact draws."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.schedules import SCHEDULES, Linear, elbo_weight

ALL = [kind() for kind in SCHEDULES.values()]
N = 200_000


def column(value, rows=N):
    return jnp.full((rows, 1), value, jnp.float32)


def uniforms(seed, length=1, rows=N):
    return jax.random.uniform(jax.random.key(seed), (rows, length))


def share(condition):
    return float(np.mean(np.asarray(condition)))


@pytest.mark.parametrize("schedule", ALL)
def test_schedule_ends_and_derivative(schedule):
    t = jnp.linspace(0.01, 0.99, 50)
    ends = schedule.alpha(jnp.array([0.0, 1.0]))
    chex.assert_trees_all_close(ends, jnp.array([1.0, 0.0]), atol=1e-6)
    slope = jax.vmap(jax.grad(lambda s: schedule.alpha(s)))(t)
    chex.assert_trees_all_close(schedule.alpha_prime(t), slope, rtol=1e-4)
    assert (np.diff(schedule.alpha(t)) < 0).all()
    assert (elbo_weight(schedule, t) > 0).all()


def test_natural_missingness_multiplies_with_the_forward_process():
    """Visible with (1 - m) alpha(t), never alpha(t) alone."""
    m, t = 0.6, 0.3
    x = jnp.where(uniforms(0) < m, 2, 1)
    z = absorbing.forward(uniforms(1), x, Linear().alpha(column(t)), 2)
    assert abs(share(z != 2) - (1 - m) * (1 - t)) < 0.005


def path(schedule, s=0.3, t=0.7):
    """`z_s` and `z_t ~ q(z_t | z_s)`: the kernel with visibility alpha_t / alpha_s."""
    alpha_s, alpha_t = schedule.alpha(column(s)), schedule.alpha(column(t))
    x = jnp.ones((N, 1), jnp.int32)
    z_s = absorbing.forward(uniforms(0), x, alpha_s, 2)
    return z_s, absorbing.forward(uniforms(1), z_s, alpha_t / alpha_s, 2)


@pytest.mark.parametrize("schedule", ALL)
def test_two_steps_are_one(schedule):
    """q(z_t | x) = sum q(z_t | z_s) q(z_s | x), and the masks are nested."""
    z_s, z_t = path(schedule)
    assert abs(share(z_t != 2) - float(schedule.alpha(jnp.array(0.7)))) < 0.005
    assert not np.any((z_s == 2) & (z_t != 2))


@pytest.mark.parametrize("schedule", ALL)
def test_reverse_step_is_bayes(schedule):
    """P(visible at s | masked at t), from the forward process alone."""
    z_s, z_t = path(schedule)
    seen = np.asarray(z_s)[np.asarray(z_t) == 2] != 2
    alpha_s, alpha_t = schedule.alpha(jnp.array([0.3, 0.7]))
    expected = float(absorbing.reveal_probability(alpha_s, alpha_t))
    assert abs(seen.mean() - expected) < 0.006


@pytest.mark.parametrize("schedule", ALL)
def test_a_reverse_step_undoes_a_forward_step(schedule):
    """q(z_s | x) = sum q(z_s | z_t, x) q(z_t | x); what is visible stays so."""
    alpha_s, alpha_t = schedule.alpha(column(0.3)), schedule.alpha(column(0.7))
    x = jnp.ones((N, 1), jnp.int32)
    z_t = absorbing.forward(uniforms(0), x, alpha_t, 2)
    chance = absorbing.reveal_probability(alpha_s, alpha_t)
    z_s = absorbing.reverse_step(uniforms(1), z_t, x, chance, 2)
    assert abs(share(z_s != 2) - float(alpha_s[0, 0])) < 0.005
    assert not np.any((z_t != 2) & (z_s == 2))


def test_reverse_step_never_changes_a_visible_token():
    z = jnp.array([[0, 1, 2, 2]])
    values = jnp.array([[1, 0, 1, 0]])
    out = absorbing.reverse_step(jnp.zeros((1, 4)), z, values, jnp.array(1.0), 2)
    assert out.tolist() == [[0, 1, 1, 0]]


def test_reverse_step_with_an_unknown_value_leaves_the_mask():
    z = jnp.array([[2, 2]])
    out = absorbing.reverse_step(
        jnp.zeros((1, 2)), z, jnp.array([[2, 1]]), jnp.array(1.0), 2
    )
    assert out.tolist() == [[2, 1]]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_draws_have_the_probabilities_of_the_logits(dtype):
    """Also for bfloat16 logits: the uniforms and the cumulative sums stay float32."""
    p = np.array([0.7, 0.2, 0.0999, 0.0001])
    logits = jnp.broadcast_to(jnp.log(jnp.asarray(p)), (N, 1, 4)).astype(dtype)
    exact = np.exp(np.asarray(logits[0, 0], np.float64))
    drawn = np.asarray(absorbing.draw_values(uniforms(4), logits))
    counts = np.bincount(drawn.ravel(), minlength=4)
    expected = N * exact / exact.sum()
    assert ((counts - expected) ** 2 / expected).sum() < 21.1  # chi2(3), p = 1e-4


def test_a_rare_value_survives_a_low_precision_network():
    """Probability 1e-5 among 300 values; bfloat16 uniforms would never reach it."""
    p = np.full(300, (1 - 1e-3) / 299)
    p[-1] = 1e-3
    logits = jnp.broadcast_to(jnp.log(jnp.asarray(p, jnp.float32)), (N, 1, 300))
    hits = int((absorbing.draw_values(uniforms(5), logits) == 299).sum())
    assert 120 < hits < 285


def test_draws_at_the_edges():
    logits = jnp.array([[[0.0, -jnp.inf, 0.0]]])
    for u in (0.0, 0.4999, 0.5, 1 - 2**-24):
        value = int(absorbing.draw_values(jnp.full((1, 1), u), logits)[0, 0])
        assert value in (0, 2)
