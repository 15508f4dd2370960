"""An ensemble predicts the mean; each member trains as if it were alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.diffusion.masked.consistency import Consistency
from ambient_jax.diffusion.masked.objective import MaskedObjective
from ambient_jax.family import Batch
from ambient_jax.networks.ensemble import Ensemble, OutOfFoldEnsemble
from ambient_jax.training.ensemble import EnsembleObjective
from tests.toys import Table, joint, rows_of

LENGTH = 3
MEMBER = Table(LENGTH)
PAIR = Ensemble(member=MEMBER, size=2)
TAUGHT = MaskedObjective(consistency=Consistency(teacher="ema"), consistency_weight=1.0)


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
    own = [jax.nn.softmax(MEMBER.apply(p, batch.rows)) for p in params]
    p = jnp.exp(PAIR.apply(params, batch.rows))
    np.testing.assert_allclose(p, (own[0] + own[1]) / 2, rtol=1e-5)


def test_members_start_apart():
    class Drawn(Table):
        def init(self, key):
            return jax.random.normal(key, (4,))

    params = Ensemble(member=Drawn(LENGTH), size=3).init(jax.random.key(0))
    assert len(np.unique(params[:, 0])) == 3


def test_a_member_s_gradient_does_not_see_the_others(batch):
    """A loss of the averaged prediction would tie them together."""
    objective = EnsembleObjective(member=TAUGHT)

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
    objective = MaskedObjective()
    params = jnp.stack([params_of(0), params_of(1)])
    both, key = EnsembleObjective(member=objective), jax.random.key(4)
    whole = both(PAIR, params, batch, jnp.asarray(0), key, params)[0]
    own = [
        objective(MEMBER, p, batch, jnp.asarray(0), k)[0]
        for p, k in zip(params, jax.random.split(jax.random.key(4), 2), strict=True)
    ]
    np.testing.assert_allclose(whole, (own[0] + own[1]) / 2, rtol=1e-5)


def test_an_excluded_row_is_predicted_by_the_members_that_exclude_it(batch):
    params = jnp.stack([params_of(0), params_of(1), params_of(2)])

    class WithContext(Table):
        def apply(self, params, z, context=None):
            return super().apply(params, z)

    three = Ensemble(member=WithContext(LENGTH), size=3)
    excluded_rows = np.tile([[True, False, False], [True, False, True]], (16, 1))
    context = jnp.asarray(
        OutOfFoldEnsemble.append_to_context(np.zeros((32, 3)), excluded_rows)
    )
    answer = OutOfFoldEnsemble(ensemble=three).apply(params, batch.rows, context)
    own = [jax.nn.softmax(MEMBER.apply(p, batch.rows)) for p in params]
    np.testing.assert_allclose(jnp.exp(answer[0::2]), own[0][0::2], rtol=1e-5)
    both = (own[0] + own[2])[1::2] / 2
    np.testing.assert_allclose(jnp.exp(answer[1::2]), both, rtol=1e-5)


def test_a_member_does_not_train_on_the_rows_that_it_excludes(batch):
    """Their tokens change no bit of its gradient, but of the other's."""
    objective = EnsembleObjective(member=TAUGHT)
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

    known = (batch.rows < 2) & excluded_rows[:, :1]
    other = jnp.where(known, 1 - batch.rows, batch.rows)
    before, after = gradient(batch.rows), gradient(other)
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[1] != after[1]).any()
