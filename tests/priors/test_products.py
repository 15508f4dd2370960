"""The mixture that every prior becomes: exact, and a wrong draw is seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.keys import row_keys
from ambient_jax.priors import products

N = 25_000
CRITICAL = 56.5  # chi2 with 15 degrees of freedom, p = 1e-6
MASK = 2


@pytest.fixture(scope="module")
def components():
    """Three products over four binary tokens, far apart."""
    logits = 2.0 * np.random.default_rng(1).normal(size=(3, 4, 2))
    return jax.nn.log_softmax(jnp.asarray(logits, jnp.float32), axis=-1)


def joint_of(components):
    """The joint `[2, 2, 2, 2]` of the mixture, by enumeration."""
    p = np.exp(np.asarray(components, np.float64))
    each = [np.einsum("a,b,c,d->abcd", *product) for product in p]
    return np.mean(each, axis=0)


def chi_squared(x, p):
    counts = np.bincount(np.ravel_multi_index(np.asarray(x).T, p.shape), minlength=16)
    expected, some = len(x) * p.ravel(), p.ravel() > 0
    assert counts[~some].sum() == 0
    return float(((counts - expected)[some] ** 2 / expected[some]).sum())


def given(p, row):
    index = tuple(slice(None) if v == MASK else slice(v, v + 1) for v in row)
    out = np.zeros_like(p)
    out[index] = p[index]
    return out / out.sum()


def draws(components, row, temperature=1.0):
    rows = jnp.broadcast_to(jnp.asarray(row, jnp.int32), (N, 4))
    keys = row_keys(jax.random.key(0), jnp.arange(N))
    return jax.jit(products.draw)(components, rows, keys, temperature)


@pytest.mark.parametrize("row", [[2, 2, 2, 2], [1, 2, 2, 0], [2, 0, 2, 2]])
def test_draws_have_the_exact_posterior(components, row):
    x = draws(components, row)
    assert chi_squared(x, given(joint_of(components), row)) < CRITICAL


def test_draws_that_forget_the_posterior_weights_are_rejected(components):
    """A component drawn from the prior in place of the posterior is not resampled."""
    row = [1, 2, 2, 0]
    blind = np.array(draws(components, [2, 2, 2, 2]))
    blind[:, 0], blind[:, 3] = 1, 0
    assert chi_squared(blind, given(joint_of(components), row)) > 10 * CRITICAL


def test_draws_without_the_noise_of_the_decoder_are_rejected(components):
    """Draws so cold that they are the most probable values of their component."""
    row = [2, 2, 2, 2]
    modes = np.asarray(draws(components, row, temperature=1e-4))
    assert len(np.unique(modes, axis=0)) == 3
    assert chi_squared(modes, joint_of(components)) > 10 * CRITICAL


def test_a_temperature_sharpens_tokens_and_no_weights(components):
    """At 0.5 the components are squared and made to sum to one."""
    cold = jax.nn.log_softmax(2 * components, axis=-1)
    x = draws(components, [2, 2, 2, 2], temperature=0.5)
    assert chi_squared(x, joint_of(cold)) < CRITICAL
    assert chi_squared(x, joint_of(components)) > CRITICAL


def test_nats_sum_out_the_missing_tokens(components):
    p = joint_of(components)
    rows = np.array([[0, 1, 1, 0], [1, 2, 2, 0], [2, 2, 2, 2]], np.int32)
    expected = [-np.log(p[0, 1, 1, 0]), -np.log(p[1, :, :, 0].sum()), 0.0]
    found = products.nats(components, jnp.asarray(rows))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_row_depends_on_its_own_key_and_content(components):
    rows = jnp.asarray([[2, 1, 2, 2], [0, 2, 2, 2], [2, 2, 2, 1]], jnp.int32)
    ids = jnp.arange(3)
    whole = products.draw(components, rows, row_keys(jax.random.key(3), ids))
    for i in range(3):
        one = slice(i, i + 1)
        keys = row_keys(jax.random.key(3), ids[one])
        alone = products.draw(components, rows[one], keys)
        assert (whole[one] == alone).all()
        assert (whole[i] == rows[i])[rows[i] < MASK].all()
