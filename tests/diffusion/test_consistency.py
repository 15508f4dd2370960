"""Consistency loss: zero for the true model, positive for others, and who learns."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.consistency import (
    Consistency,
    consistency_loss,
    kl_consistency,
    kl_divergence,
    martingale_products,
    teacher_logp,
)
from ambient_jax.diffusion.masked.martingale_defect import martingale_defect
from ambient_jax.diffusion.masked.order_gap import order_gap
from ambient_jax.diffusion.masked.schedules import Linear
from ambient_jax.keys import row_keys
from ambient_jax.types import bind
from tests.toys import Table, joint, rows_of

N = 40_000


def loss_of(network, params, settings, seed=0, n=N):
    x = jnp.asarray(rows_of(joint(4), n, np.random.default_rng(seed)), jnp.int32)
    t = jnp.full((n, 1), 0.7)
    k_u, k_loss = jax.random.split(jax.random.key(seed))
    u = jax.random.uniform(k_u, x.shape)
    z = absorbing.forward(u, x, Linear().alpha(t), 2)
    denoise = bind(network, params)
    return consistency_loss(
        denoise, denoise, z, denoise(z), x, t, Linear(), settings, k_loss
    )


def noisy(params, scale=1.0):
    return params + scale * jax.random.normal(jax.random.key(5), params.shape)


def test_martingale_form_is_zero_for_the_true_model_only(toy):
    network, params = toy
    settings = Consistency(form="martingale", stop="none", gap=0.1)
    true = float(loss_of(network, params, settings, n=400_000))
    wrong = float(loss_of(network, noisy(params), settings, n=400_000))
    assert wrong > 5e-3
    assert abs(true) < 0.05 * wrong, (true, wrong)


def test_pairwise_kl_does_not_vanish_for_the_true_model(toy):
    """One draw of the cleaner side has seen evidence: the KL keeps its variance. This
    is why the martingale form exists."""
    network, params = toy
    assert loss_of(network, params, Consistency(gap=0.3)) > 2e-2


def test_martingale_products_are_unbiased():
    """Mean over pairs of draws = squared norm of the mean difference."""
    rng = np.random.default_rng(0)
    logits_t = jnp.asarray(rng.normal(size=(1, 1, 2)), jnp.float32)
    states = jnp.asarray(rng.normal(size=(2, 1, 1, 2)), jnp.float32)  # equally likely
    total = 0.0
    for a in range(2):
        for b in range(2):
            products = martingale_products(states[a], states[b], logits_t, "none")
            total += float(products[0, 0]) / 4
    mean = jax.nn.softmax(states, axis=-1).mean(axis=0)
    expected = jnp.sum((mean - jax.nn.softmax(logits_t, axis=-1)) ** 2)
    np.testing.assert_allclose(total, expected, rtol=1e-5)


def test_the_defect_is_zero_for_the_true_model_only(toy):
    network, params = toy
    x = jnp.asarray(rows_of(joint(4), N, np.random.default_rng(0)), jnp.int32)
    keys = row_keys(jax.random.key(0), jnp.arange(N))

    @jax.jit
    def defect(params):
        return martingale_defect(bind(network, params), x, keys)

    true, wrong = defect(params), defect(noisy(params))
    chex.assert_shape([true, wrong], (N,))
    error = float(true.std()) / N**0.5
    # Tokens that are revealed at once are drawn as independent: not quite zero.
    assert abs(true.mean()) < max(5 * error, 0.05 * float(wrong.mean()))
    assert wrong.mean() > 5e-3


def test_the_order_gap_is_zero_for_the_true_model_only(toy):
    """Exactly: every pair of tokens has one joint, whichever is revealed first."""
    network, params = toy
    x = jnp.asarray(rows_of(joint(4), N, np.random.default_rng(0)), jnp.int32)
    keys = row_keys(jax.random.key(0), jnp.arange(N))
    true, wrong = (
        order_gap(bind(network, p), x, keys) for p in (params, noisy(params))
    )
    np.testing.assert_allclose(true, 0.0, atol=1e-9)
    assert wrong.mean() > 1e-2


def test_only_rows_with_two_known_masked_tokens_have_a_swap_loss(toy):
    network, params = toy
    denoise = bind(network, noisy(params))
    settings = Consistency(form="swap", stop="none")

    def loss(x, z):
        x, z = (jnp.asarray(value, jnp.int32) for value in (x, z))
        t = jnp.full((len(z), 1), 0.5)
        args = (z, denoise(z), x, t, Linear(), settings, jax.random.key(0))
        return float(consistency_loss(denoise, denoise, *args))

    pair = loss([[0, 1, 0, 1]], [[0, 1, 2, 2]])
    assert pair > 0
    assert loss([[0, 1, 2, 1]], [[0, 1, 2, 2]]) == 0  # one of them is not known
    assert loss([[0, 1, 0, 1]], [[0, 1, 0, 2]]) == 0  # one of them is not masked
    both = loss([[0, 1, 0, 1], [0, 1, 2, 1]], [[0, 1, 2, 2]] * 2)
    assert both == pytest.approx(pair, rel=1e-5)


def test_kl_is_zero_on_equal_and_positive_on_different_predictions():
    logp = jax.nn.log_softmax(jnp.array([[[0.3, -0.2], [5.0, -90.0]]]))
    chex.assert_trees_all_close(kl_divergence(logp, logp), jnp.zeros((1, 2)), atol=1e-7)
    assert (kl_divergence(logp, logp[:, ::-1]) > 0.1).all()


@pytest.mark.parametrize("target", ["soft", "argmax", "sample"])
def test_targets_are_distributions_with_finite_gradients(target):
    logits = jnp.array([[[30.0, -30.0], [0.1, 0.0]]])
    logp = teacher_logp(logits, target, jax.random.key(0))
    chex.assert_equal_shape([logp, logits])
    chex.assert_trees_all_close(jnp.exp(logp).sum(axis=-1), jnp.ones((1, 2)), rtol=1e-6)
    z = jnp.full((1, 2), 2)
    settings = Consistency(target=target)
    grad = jax.grad(
        lambda b: kl_consistency(logits, b, z == 2, settings, jax.random.key(0))
    )(logits + 1.0)
    chex.assert_tree_all_finite(grad)


def test_revealed_tokens_carry_no_loss(toy):
    """A gap to t = 0 reveals every known token: nothing is left to compare."""
    network, params = toy
    settings = Consistency(gap=1.0)
    assert loss_of(network, noisy(params), settings, n=100) == 0
    assert loss_of(network, noisy(params), Consistency(gap=0.3), n=100) > 0


@pytest.mark.parametrize("form", ["kl", "martingale"])
@pytest.mark.parametrize("stop", ["cleaner", "noisier", "none"])
def test_the_gradient_stops_where_it_should(form, stop):
    """Look-up entries of noisier states (3 masked) and cleaner ones (< 3)."""
    network, params = Table.exact(joint(3))
    params = noisy(params)
    z_t = jnp.full((64, 3), 2)
    x = jnp.asarray(rows_of(joint(3), 64, np.random.default_rng(0)), jnp.int32)
    t = jnp.ones((64, 1))
    settings = Consistency(form=form, stop=stop, gap=0.5)

    def loss(p):
        denoise = bind(network, p)
        return consistency_loss(
            denoise, denoise, z_t, denoise(z_t), x, t, Linear(), settings,
            jax.random.key(0),
        )  # fmt: skip

    grad = np.abs(np.asarray(jax.grad(loss)(params))).sum(axis=(1, 2))
    noisier, cleaner = grad[-1], grad[:-1].sum()  # the last state is all masked
    assert (noisier > 1e-6) == (stop != "noisier")
    # Rows where nothing was revealed keep the state: they touch the noisier entry too.
    assert (cleaner > 1e-6) == (stop != "cleaner")


def test_discrete_targets_need_the_published_direction():
    with pytest.raises(ValueError, match="stop=cleaner"):
        Consistency(target="argmax", stop="noisier")
    with pytest.raises(ValueError, match="teacher=ema needs form=kl"):
        Consistency(teacher="ema", form="martingale", stop="noisier")
    with pytest.raises(ValueError, match="gap"):
        Consistency(gap=0.0)
