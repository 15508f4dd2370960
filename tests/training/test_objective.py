"""The training loss: leaks, effective masking, natural rows, weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.consistency import Consistency
from ambient_jax.diffusion.masked.objective import MaskedObjective
from ambient_jax.family import Batch
from tests.toys import Table, joint, rows_of

KEY = 11


def batch_of(n=64, missing=0.6, length=4):
    rng = np.random.default_rng(0)
    x = rows_of(joint(length), n, rng)
    tokens = np.where(rng.random(x.shape) < missing, 2, x).astype(np.uint8)
    completion = np.where(tokens == 2, rng.integers(0, 2, x.shape), tokens)
    return Batch(jnp.asarray(tokens), jnp.asarray(completion.astype(np.uint8)))


def value_and_grad(objective, batch, step=0):
    network, params = Table.exact(joint(4))
    params = params + 0.5 * jax.random.normal(jax.random.key(2), params.shape)

    def loss(params):
        return objective(
            network, params, batch, jnp.asarray(step), jax.random.key(KEY)
        )[0]

    return jax.jit(jax.value_and_grad(loss))(params)


FORMS = [
    None,
    Consistency(),
    Consistency(target="argmax"),
    Consistency(form="martingale", stop="noisier"),
    Consistency(rows="natural"),
]


@pytest.mark.parametrize("form", FORMS)
def test_hidden_truth_changes_nothing(form):
    """The truth behind a MASK is not an input: two truths, one batch, equal bits.

    The batch is all that training sees; here also the completion of a natural row is
    changed, which must be hidden from it.
    """
    objective = MaskedObjective(
        natural_share=1.0, imputed_weight=0.5, consistency=form, consistency_weight=1.0
    )
    batch = batch_of()
    other = jnp.where(batch.rows == 2, 1 - batch.completion, batch.completion)
    a = value_and_grad(objective, batch, step=5)
    b = value_and_grad(objective, Batch(batch.rows, other), step=5)
    assert float(a[0]) == float(b[0])
    assert np.array_equal(a[1], b[1])


def test_completions_do_count_on_the_other_rows():
    """The leak test above can fail: with natural_share = 0 the bits differ."""
    objective = MaskedObjective(natural_share=0.0)
    batch = batch_of()
    other = jnp.where(batch.rows == 2, 1 - batch.completion, batch.completion)
    a = value_and_grad(objective, batch)
    b = value_and_grad(objective, Batch(batch.rows, other))
    assert float(a[0]) != float(b[0])


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_imputed_targets_count_by_their_weight(weight):
    """Only token 0 was observed: the others are trained if their weight is not 0."""
    tokens = jnp.asarray([[0, 2, 2, 2]] * 64, jnp.uint8)
    batch = Batch(tokens, jnp.asarray([[0, 1, 0, 1]] * 64, jnp.uint8))
    objective = MaskedObjective(natural_share=0.0, imputed_weight=weight)
    grad = np.abs(value_and_grad(objective, batch)[1]).sum(axis=(0, 2))
    assert grad[0] > 0
    assert (grad[1:] > 0).all() == (weight > 0)
    assert (grad[1:] == 0).all() == (weight == 0)


def test_natural_rows_are_the_stated_share():
    rows = np.asarray(MaskedObjective(natural_share=0.25).natural_rows(64))
    assert rows.shape == (64, 1)
    assert rows.sum() == 16
    # Spread over the batch, along which the times run: a quarter of each quarter.
    assert (rows.reshape(4, 16).sum(axis=1) == 4).all()


def test_contexts_are_masked_with_the_product_of_both_rates(monkeypatch):
    """What the network sees has visible share (1 - m) E alpha(t), not more."""
    seen = []
    real = absorbing.forward

    def spy(u, x, alpha, mask):
        z = real(u, x, alpha, mask)
        seen.append((np.asarray(z), np.asarray(alpha)))
        return z

    monkeypatch.setattr(absorbing, "forward", spy)
    network, params = Table.exact(joint(4))
    batch = batch_of(n=20_000)
    natural = MaskedObjective(natural_share=1.0)
    natural(network, params, batch, jnp.asarray(0), jax.random.key(KEY))
    z, alpha = seen[0]
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        rows = (alpha[:, 0] >= low) & (alpha[:, 0] < high)
        expected = 0.4 * alpha[rows].mean()
        assert abs((z[rows] != 2).mean() - expected) < 0.012


def test_consistency_waits_for_its_start_and_ramps():
    objective = MaskedObjective(
        consistency=Consistency(),
        consistency_weight=2.0,
        consistency_start_step=10,
        consistency_ramp_steps=10,
        natural_share=1.0,
    )
    network, params = Table.exact(joint(4))
    found = {}
    for step in (0, 10, 15, 20, 50):
        total, parts = objective(
            network, params, batch_of(), jnp.asarray(step), jax.random.key(KEY)
        )
        found[step] = (
            float(total - parts["easy_loss"]),
            float(parts["consistency_loss"]),
        )
    assert found[0][0] == found[10][0] == 0.0  # the weight; the loss is still shown
    hard = found[50][1]
    assert hard == found[0][1] > 0
    np.testing.assert_allclose(found[15][0], 1.0 * hard, rtol=1e-4)
    np.testing.assert_allclose(found[20][0], 2.0 * hard, rtol=1e-4)
    np.testing.assert_allclose(found[50][0], 2.0 * hard, rtol=1e-4)


@pytest.mark.parametrize("step", [0, 10, 15])
def test_waiting_changes_no_gradient(step):
    fields = {"consistency": Consistency(), "consistency_weight": 2.0,
              "consistency_start_step": 10, "consistency_ramp_steps": 10}  # fmt: skip
    waits = MaskedObjective(**fields, skip_unweighted_consistency=True)
    found = [
        value_and_grad(o, batch_of(), step) for o in (MaskedObjective(**fields), waits)
    ]
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    args = (batch_of(), jnp.asarray(step), jax.random.key(KEY))
    _, parts = waits(*Table.exact(joint(4)), *args)
    assert (parts["consistency_loss"] > 0) == (step > 10)


@pytest.mark.parametrize("rows", ["all", "natural"])
def test_imputed_reveals_can_be_kept_out_of_the_consistency_loss(rows):
    """Other completions change it, but for `natural` rows, which hide them."""
    network, params = Table.exact(joint(4))
    batch = batch_of()
    other = jnp.where(batch.rows == 2, 1 - batch.completion, batch.completion)
    objective = MaskedObjective(natural_share=0.5, consistency=Consistency(rows=rows))
    losses = [
        float(
            objective(
                network, params, Batch(batch.rows, completion), jnp.asarray(0),
                jax.random.key(KEY),
            )[1]["consistency_loss"]
        )
        for completion in (batch.completion, other)
    ]  # fmt: skip
    assert min(losses) > 0
    assert (losses[0] == losses[1]) == (rows == "natural")


def test_the_averaged_network_teaches_where_it_should():
    """With `teacher=ema` the loss falls to 0 only where the student agrees with it."""
    network, params = Table.exact(joint(4))
    other = params + jax.random.normal(jax.random.key(9), params.shape)

    def hard(teacher, ema):
        objective = MaskedObjective(consistency=Consistency(teacher=teacher))
        arguments = (batch_of(), jnp.asarray(0), jax.random.key(KEY), ema)
        return float(objective(network, params, *arguments)[1]["consistency_loss"])

    assert hard("ema", params) == hard("online", other)
    assert hard("ema", other) > 2 * hard("ema", params)
