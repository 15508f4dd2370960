"""Priors that are fitted: members learn apart, smoothing, and what is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.assembly.priors import PRIORS, PriorSettings
from ambient_jax.data.dataset import IncompleteData
from ambient_jax.errors import UserError
from ambient_jax.family import Prior
from ambient_jax.networks.decoder import Decoder, gaussian_smoother
from ambient_jax.priors.latent import LatentPrior
from ambient_jax.training import prior_fit
from ambient_jax.training.prior_fit import PriorFit, PriorState
from tests.toys import joint, rows_of

SMALL = LatentPrior(
    decoder=Decoder(shape=(6,), num_values=2, latents=3, hidden=(16,)),
    members=2, num_steps=300, batch_size=128, fit_points=256, points=4096,
)  # fmt: skip

PLAIN = (np.float32(1.0), np.float32(1.0))  # temperature, fraction


def incomplete_of(n=4000, missing=0.5, seed=0):
    rng = np.random.default_rng(seed)
    x = rows_of(joint(6), n, rng)
    tokens = np.where(rng.random(x.shape) < missing, 2, x).astype(np.uint8)
    return IncompleteData(tokens=tokens, shape=(6,), num_values=2), x


def fitted(prior, data, mesh, seed=0):
    fit = PriorFit(prior, data, mesh, 64, seed)
    return fit, fit.fitted()


def test_every_prior_keeps_the_protocol():
    for name in PRIORS:
        assert isinstance(PriorSettings(name=name).build((4, 4), 2), Prior)
        assert isinstance(PriorSettings(name=name).build((7,), 3), Prior)


def test_half_of_the_values_teach_the_joint(mesh):
    """The nats of complete rows come near their entropy; factors do not, nor do
    independent shares."""
    data, x = incomplete_of()
    p = joint(6)
    entropy = -(p * np.log(p)).sum()
    complete = x[:1000].astype(np.uint8)
    excess = {}
    priors = {
        "latent": SMALL,
        "factors": dataclasses.replace(
            SMALL, decoder=dataclasses.replace(SMALL.decoder, hidden=())
        ),
        "independent": PriorSettings(name="independent").build((6,), 2),
    }
    for name, prior in priors.items():
        fit, state = fitted(prior, data, mesh)
        excess[name] = fit.nats(state, complete).mean() - entropy
    assert excess["latent"] < 0.6 * excess["independent"]
    assert excess["latent"] < excess["factors"] < excess["independent"]


def test_a_member_does_not_learn_from_the_others():
    rows = jnp.asarray(incomplete_of(64)[0].tokens, jnp.int32)
    params = SMALL.init(np.asarray(rows), jax.random.key(0))
    grads = jax.grad(SMALL.loss)(params, rows, jax.random.key(1))["decoders"]
    other = dict(params, decoders=jax.tree.map(
        lambda leaf: leaf.at[1].add(1.0), params["decoders"]
    ))  # fmt: skip
    moved = jax.grad(SMALL.loss)(other, rows, jax.random.key(1))["decoders"]
    for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(moved), strict=True):
        np.testing.assert_array_equal(a[0], b[0])
    differ = [
        (a[1] != b[1]).any()
        for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(moved), strict=True)
    ]
    assert any(differ)


def test_hidden_values_change_no_bit_of_a_fit(mesh):
    data, x = incomplete_of(200)
    flipped = np.where(data.observed, x, 1 - x)
    again = dataclasses.replace(
        data, tokens=np.where(data.observed, flipped, 2).astype(np.uint8)
    )
    prior = dataclasses.replace(SMALL, num_steps=5)
    states = [fitted(prior, d, mesh)[1] for d in (data, again)]
    for a, b in zip(*map(jax.tree.leaves, states), strict=True):
        np.testing.assert_array_equal(a, b)


def test_smoothing_shares_evidence_among_neighbours_only():
    smoother = gaussian_smoother(9, 1.0)
    np.testing.assert_allclose((smoother**2).sum(axis=0), 1.0, rtol=1e-6)
    assert smoother[4, 4] > smoother[3, 4] > smoother[0, 4] > 0
    decoder = Decoder(shape=(9, 9), num_values=2, latents=3, smoothing=1.5)
    rough = dataclasses.replace(decoder, smoothing=0.0)
    params = decoder.init(jax.random.key(0))
    z = jax.random.normal(jax.random.key(1), (50, 3))
    steps = []
    for network in (decoder, rough):
        picture = np.asarray(network(params, z)).reshape(50, 9, 9, 2)
        steps.append(np.diff(picture, axis=1).std() / picture.std())
    assert steps[0] < 0.5 * steps[1]


def test_the_best_moment_is_kept(mesh):
    """Few rows are learned by heart, and an early average scores others best."""
    data, _ = incomplete_of(120)
    free = dataclasses.replace(
        SMALL, learning_rate=0.02, weight_decay=0.0,
        decoder=dataclasses.replace(
            SMALL.decoder, hidden=(64, 64), dropout=0.0, latents=6
        ),
    )  # fmt: skip
    fit, state = fitted(free, data, mesh)
    held_out = data.rows[fit._held_out]
    best = fit.nats(state, held_out).mean()
    assert best <= float(state.lowest_nats) * (1 + prior_fit.TOLERANCE) + 1e-5
    assert best < fit._score(state.average, held_out).mean() - 0.01


def test_a_later_average_is_kept_unless_it_is_clearly_worse():
    kept = []
    state = PriorState(
        step=jnp.int32(1), params={}, average={}, opt_state=(), best={},
        best_step=jnp.int32(0), lowest_nats=jnp.float32(jnp.inf),
    )  # fmt: skip
    for step, nats in enumerate((9.0, 9.005, 9.008, 9.01, 8.0, 8.009), start=1):
        now = dataclasses.replace(state, step=jnp.int32(step))
        state = prior_fit._keep_if_good(now, jnp.float32(nats))
        kept.append(int(state.best_step))
    assert kept == [1, 2, 3, 3, 5, 5]
    assert float(state.lowest_nats) == 8.0


def test_a_fit_that_ended_early_is_not_continued(mesh, monkeypatch):
    """Interrupted at its very end, it goes on to nothing, as if it had not been."""
    monkeypatch.setattr(prior_fit, "CHECK_EVERY", 2)
    monkeypatch.setattr(prior_fit, "PATIENCE", 4)
    data, _ = incomplete_of(60)
    wild = dataclasses.replace(SMALL, learning_rate=3.0, num_steps=100)
    fit = PriorFit(wild, data, mesh, 64, 0)
    *_, (done, state) = fit.steps(fit.start(), 0)
    assert done < 100
    assert [*fit.steps(state, done)] == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"points": 2**24}, "fit 256 MiB"), ({"members": 0}, "members"),
     ({"points": 1}, "members")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **fields)


def test_rows_without_any_observed_cell_add_nothing(mesh):
    """They are drawn from the prior, and the fit ends where it would without them."""
    data, _ = incomplete_of(500)
    empty = np.full((20, 6), 2, np.uint8)
    both = dataclasses.replace(data, tokens=np.concatenate([data.tokens, empty]))
    fit, state = fitted(dataclasses.replace(SMALL, num_steps=50), both, mesh)
    completions = both.rows.copy()
    assert [*fit.draws(state, completions, 0, PLAIN)][-1] == 520
    assert (completions < 2).all()
    assert (completions[data.observed.nonzero()] == data.tokens[data.observed]).all()
    assert len(np.unique(completions[500:], axis=0)) > 5


def test_rows_that_are_too_long_for_a_prior_are_refused_in_words():
    with pytest.raises(UserError, match="4096 cells with 256 values are too long"):
        PriorSettings().build((64, 64), 256)
