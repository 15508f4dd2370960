"""An ensemble predicts by the mean, and each member learns by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.diffusion.masked.consistency import Consistency
from ambient_jax.diffusion.masked.objective import Batch, Objective
from ambient_jax.networks.ensemble import Ensemble, OutOfFoldEnsemble
from tests.toys import Table, joint, rows_of

LENGTH = 3
MEMBER = Table(LENGTH)
PAIR = Ensemble(member=MEMBER, size=2)


def params_of(seed):
    return 2 * jax.random.normal(jax.random.key(seed), (3**LENGTH, LENGTH, 2))


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    x = rows_of(joint(LENGTH), 32, rng)
    tokens = np.where(rng.random(x.shape) < 0.4, 2, x).astype(np.uint8)
    return Batch(jnp.asarray(tokens), jnp.asarray(tokens))


def test_it_predicts_the_mean_of_the_probabilities(batch):
    params = jnp.stack([params_of(0), params_of(1)])
    told = [jax.nn.softmax(MEMBER.apply(p, batch.tokens)) for p in params]
    p = jnp.exp(PAIR.apply(params, batch.tokens))
    np.testing.assert_allclose(p, (told[0] + told[1]) / 2, rtol=1e-5)


def test_members_start_apart():
    class Drawn(Table):
        def init(self, key):
            return jax.random.normal(key, (4,))

    params = Ensemble(member=Drawn(LENGTH), size=3).init(jax.random.key(0))
    assert len(np.unique(params[:, 0])) == 3


def test_a_member_s_gradient_does_not_see_the_others(batch):
    """A loss of the averaged prediction would tie them together."""
    objective = Objective(
        consistency=Consistency(teacher="ema"), consistency_weight=1.0
    )

    @jax.jit
    def gradient(params):
        return jax.grad(
            lambda p: objective(
                PAIR, p, batch, jnp.asarray(3), jax.random.key(1), params
            )[0]
        )(params)

    a, b, c = params_of(0), params_of(1), params_of(2)
    with_b, with_c = gradient(jnp.stack([a, b])), gradient(jnp.stack([a, c]))
    np.testing.assert_array_equal(with_b[0], with_c[0])
    assert (with_b[1] != with_c[1]).any()
    # Members that start alike come apart: each hides other cells.
    alike = gradient(jnp.stack([a, a]))
    assert (alike[0] != alike[1]).any()


def test_its_loss_is_the_mean_of_the_members(batch):
    objective = Objective()
    params = jnp.stack([params_of(0), params_of(1)])
    whole = objective(PAIR, params, batch, jnp.asarray(0), jax.random.key(4), params)[0]
    own = [
        objective(MEMBER, p, batch, jnp.asarray(0), k)[0]
        for p, k in zip(params, jax.random.split(jax.random.key(4), 2), strict=True)
    ]
    np.testing.assert_allclose(whole, (own[0] + own[1]) / 2, rtol=1e-5)


def test_a_row_that_was_left_out_is_answered_by_the_members_that_left_it(batch):
    params = jnp.stack([params_of(0), params_of(1), params_of(2)])

    class Told(Table):
        def apply(self, params, z, context=None):
            return super().apply(params, z)

    three = Ensemble(member=Told(LENGTH), size=3)
    excluded_rows = np.tile([[True, False, False], [True, False, True]], (16, 1))
    context = jnp.asarray(
        OutOfFoldEnsemble.append_to_context(np.zeros((32, 3)), excluded_rows)
    )
    answer = OutOfFoldEnsemble(ensemble=three).apply(params, batch.tokens, context)
    own = [jax.nn.softmax(MEMBER.apply(p, batch.tokens)) for p in params]
    np.testing.assert_allclose(jnp.exp(answer[0::2]), own[0][0::2], rtol=1e-5)
    both = (own[0] + own[2])[1::2] / 2
    np.testing.assert_allclose(jnp.exp(answer[1::2]), both, rtol=1e-5)


def test_a_member_does_not_learn_from_the_rows_that_it_leaves_out(batch):
    """Their tokens change no bit of its gradient, but of the other's."""
    objective = Objective(
        consistency=Consistency(teacher="ema"), consistency_weight=1.0
    )
    params = jnp.stack([params_of(0), params_of(1)])
    excluded_rows = np.stack([np.arange(32) < 8, np.zeros(32, bool)], axis=1)

    @jax.jit
    def gradient(tokens):
        rows = Batch(tokens, tokens, None, excluded_rows)
        return jax.grad(
            lambda p: objective(
                PAIR, p, rows, jnp.asarray(3), jax.random.key(1), params
            )[0]
        )(params)

    known = (batch.tokens < 2) & excluded_rows[:, :1]
    other = jnp.where(known, 1 - batch.tokens, batch.tokens)
    before, after = gradient(batch.tokens), gradient(other)
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1] != after[1]).any()
