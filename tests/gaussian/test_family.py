"""The Gaussian family in the project's loop: leaks, resume, keys, compilations."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ambient_jax.compilation import shared
from ambient_jax.data.continuous import ContinuousData
from ambient_jax.diffusion.gaussian.ambient_objective import AmbientObjective
from ambient_jax.diffusion.gaussian.cdmt_objective import CdmtObjective
from ambient_jax.diffusion.gaussian.edm_objective import EdmObjective
from ambient_jax.diffusion.gaussian.posterior import PosteriorCompleter
from ambient_jax.diffusion.gaussian.repaint import RepaintCompleter
from ambient_jax.diffusion.gaussian.sampling import EdmSampler
from ambient_jax.family import Batch, Completer, Objective, TrainingData
from ambient_jax.mesh import make_mesh
from ambient_jax.networks.edm_mlp import EdmMlp
from ambient_jax.priors.gaussian import GaussianPrior
from ambient_jax.training.estep import EStep, EStepDriver
from ambient_jax.training.hooks import Interrupted, Quiet
from ambient_jax.training.trainer import Plan, Trainer
from ambient_jax.types import GaussianDenoiser, Network
from tests.gaussian import normal
from tests.training.test_trainer import StopAfter, count_compilations, same

SAMPLER = EdmSampler(num_steps=4, churn=1.0)
COMPLETERS = {
    "posterior": PosteriorCompleter(sampler=SAMPLER, iterations=2),
    "repaint": RepaintCompleter(sampler=SAMPLER, resamplings=2, num_draws=2),
}
PLAN = Plan(
    rounds=4, steps_per_round=5, batch_size=32, estep_batch_size=32, ema_decay=0.9
)


def incomplete(x=None, seed=2):
    x = normal.rows(200) if x is None else x
    return ContinuousData(rows=normal.with_holes(x, 0.6, seed), shape=(normal.LENGTH,))


def trainer_of(data, mesh, completer="posterior", objective=None, plan=PLAN):
    prior = GaussianPrior(rank=2, iterations=3)
    estep = EStep(
        start_round=0, completer=COMPLETERS[completer], prior=prior, prior_rounds=2,
        row_share=0.7,
    )  # fmt: skip
    return Trainer(
        EdmMlp(length=normal.LENGTH, width=8, depth=1), data,
        objective or EdmObjective(), estep, plan, optax.adam(0.01), mesh,
    )  # fmt: skip


def test_the_parts_keep_the_protocols():
    assert isinstance(incomplete(), TrainingData)
    for objective in (EdmObjective(), CdmtObjective(noise=0.3), AmbientObjective()):
        assert isinstance(objective, Objective)
    for completer in COMPLETERS.values():
        assert isinstance(completer, Completer)
    for network in (EdmMlp(length=3), normal.Linear()):
        assert isinstance(network, GaussianDenoiser)
        assert isinstance(network, Network)


@pytest.mark.parametrize("completer", COMPLETERS)
def test_hidden_values_change_no_bit_of_a_run(completer, mesh):
    """Two truths that differ where nobody looked."""
    ends = []
    for shift in (0.0, 5.0):
        x = normal.rows(200)
        hidden = np.isnan(normal.with_holes(x, 0.6))
        data = incomplete(np.where(hidden, x + shift, x).astype(np.float32))
        trainer = trainer_of(data, mesh, completer)
        ends.append(trainer.run(trainer.start(), Quiet()))
    assert same(*ends)
    assert np.isfinite(ends[0].completions).all()


def test_one_observed_value_changes_a_run(mesh):
    """The test above can fail."""
    ends = []
    for shift in (0.0, 0.1):
        data = incomplete()
        data.rows[data.observed.nonzero()[0][0], data.observed.nonzero()[1][0]] += shift
        trainer = trainer_of(data, mesh)
        ends.append(trainer.run(trainer.start(), Quiet()))
    assert not same(*ends)


def test_observed_cells_are_never_changed(mesh):
    data = incomplete()
    trainer = trainer_of(data, mesh, "repaint")
    progress = trainer.run(trainer.start(), Quiet())
    assert (progress.completions[data.observed] == data.rows[data.observed]).all()


@pytest.mark.parametrize("after", [0, 3, 8, 12, 17, 24, 30])
def test_stopped_anywhere_and_resumed_it_ends_bitwise_the_same(mesh, after):
    whole = trainer_of(incomplete(), mesh)
    finished = whole.run(whole.start(), Quiet())
    hooks = StopAfter(after)
    first = trainer_of(incomplete(), mesh)
    with pytest.raises(Interrupted):
        first.run(first.start(), hooks)
    second = trainer_of(incomplete(), mesh)
    assert same(second.run(hooks.saved, Quiet()), finished)
    other = trainer_of(incomplete(), mesh, plan=dataclasses.replace(PLAN, seed=1))
    assert not same(other.run(other.start(), Quiet()), finished)


FRESH = dataclasses.replace(PLAN, new_networks=True)


@pytest.mark.parametrize("after", [9, 20, 26])
def test_a_run_of_new_networks_resumes_bitwise_too(mesh, after):
    """Stops fall in M-steps, whose network is new once and not again."""
    whole = trainer_of(incomplete(), mesh, plan=FRESH)
    finished = whole.run(whole.start(), Quiet())
    assert int(finished.state.step) == PLAN.steps_per_round  # counted in its round
    hooks = StopAfter(after)
    first = trainer_of(incomplete(), mesh, plan=FRESH)
    with pytest.raises(Interrupted):
        first.run(first.start(), hooks)
    assert hooks.saved.position.phase == "mstep"
    assert hooks.saved.position.index > 0
    second = trainer_of(incomplete(), mesh, plan=FRESH)
    assert same(second.run(hooks.saved, Quiet()), finished)


def test_every_round_of_new_networks_starts_elsewhere(mesh):
    """A network of its own and noise of its own: no two rounds begin alike."""

    class Firsts(Quiet):
        losses = ()

        def log(self, round_, step, metrics):
            if "train_loss" in metrics:
                self.losses = (*self.losses, metrics["train_loss"])

    plan = dataclasses.replace(FRESH, steps_per_round=1, log_every=1)
    trainer, hooks = trainer_of(incomplete(), mesh, plan=plan), Firsts()
    trainer.run(trainer.start(), hooks)
    assert len(set(hooks.losses)) == PLAN.rounds


def test_every_function_compiles_once(mesh):
    """One train step, one E-step of the network, one of the prior."""
    shared.cache_clear()  # of other tests
    trainer = trainer_of(incomplete(), mesh)
    with count_compilations() as counts:
        trainer.run(trainer.start(), Quiet())
    assert counts["_step"] == 1
    assert counts["_run"] == 2


def test_steps_rounds_and_rows_draw_anew(mesh):
    trainer = trainer_of(incomplete(), mesh)
    batch = trainer.batches.placed(trainer.data.rows, np.arange(32))
    losses = []
    for step in range(3):
        start = trainer.start().state
        placed = jax.device_put(np.int32(step), start.step.sharding)
        state = dataclasses.replace(start, step=placed)
        losses.append(float(trainer.step(state, batch, trainer.key)[1]["loss"]))
    assert len(set(losses)) == 3
    params = trainer.start().state.params
    estep = dataclasses.replace(trainer.estep, prior_rounds=0, row_share=1.0)
    driver = EStepDriver(trainer.denoiser, trainer.data, estep, mesh, 40, 0)
    drawn = []
    for round_ in (1, 2):
        completions = trainer.data.rows.copy()
        list(driver.run(params, completions, round_))
        drawn.append(completions)
    hidden = ~trainer.data.observed
    assert not (drawn[0][hidden] == drawn[1][hidden]).any()
    assert len(np.unique(drawn[0][hidden])) == hidden.sum()


def test_results_do_not_depend_on_the_number_of_devices():
    plan = dataclasses.replace(PLAN, rounds=3)
    one, eight = (trainer_of(incomplete(), make_mesh(n), plan=plan) for n in (1, 8))
    a, b = one.run(one.start(), Quiet()), eight.run(eight.start(), Quiet())
    for x, y in zip(
        jax.tree.leaves(a.state.params), jax.tree.leaves(b.state.params), strict=True
    ):
        np.testing.assert_allclose(x, y, atol=1e-4)


def ambient_loss(network, params, data, hidden_share=0.3, seed=0):
    batch = Batch(jnp.asarray(data.rows), jnp.asarray(data.rows))
    return AmbientObjective(hidden_share=hidden_share)(
        network, params, batch, jnp.zeros((), jnp.int32), jax.random.key(seed)
    )[0]


def test_further_corruption_predicts_what_it_hides():
    """A network that copies what it sees pays for hidden cells, and only for these."""

    @dataclasses.dataclass(frozen=True)
    class Copies:
        length: int = normal.LENGTH

        def init(self, key):
            return jnp.zeros(())

        def apply(self, params, x, sigma, visible=None):
            return jnp.where(visible > 0, truth, params)

    data = incomplete()
    truth = jnp.asarray(np.nan_to_num(data.rows))
    few, many = (
        float(ambient_loss(Copies(), jnp.zeros(()), data, share))
        for share in (0.1, 0.8)
    )
    assert 0 < few < many
    assert float(ambient_loss(Copies(), jnp.asarray(9.0), data)) > many


def test_a_masked_network_is_blind_to_hidden_cells():
    """Their values change neither estimate nor gradient; the mask changes both."""
    network = EdmMlp(length=4, width=8, depth=1, masked=True)
    params = network.init(jax.random.key(0))
    params = jax.tree.map(lambda p: p + 0.1, params)  # the last layer starts at 0
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)), jnp.float32)
    sigma = jnp.full((3, 1), 0.5)
    seen = jnp.asarray([[1.0, 0.0, 1.0, 0.0]] * 3)
    found = network.apply(params, x, sigma, seen)
    np.testing.assert_array_equal(
        found, network.apply(params, x + 9 * (1 - seen), sigma, seen)
    )
    assert not np.allclose(found, network.apply(params, x, sigma, jnp.ones_like(x)))
    with pytest.raises(ValueError, match="masked=True"):
        EdmMlp(length=4, width=8).apply(params, x, sigma, seen)


def test_hidden_cells_are_estimated_on_the_scale_of_the_data_at_every_level():
    """A given cell is nearly known at a low level; a hidden one is not."""
    network = EdmMlp(length=4, width=8, depth=1, masked=True)
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda p: p + rng.normal(size=p.shape).astype(np.float32),
        network.init(jax.random.key(0)),
    )
    x, seen = jnp.ones((1, 4)), jnp.asarray([[1.0, 1.0, 0.0, 0.0]])
    found = network.apply(params, x, jnp.full((1, 1), 1e-4), seen)[0]
    np.testing.assert_allclose(found[:2], 1.0, atol=0.01)
    assert np.abs(found[2:]).min() > 0.01


def test_the_network_starts_as_the_skip_connection_and_reads_the_level():
    network = EdmMlp(length=4, width=8, depth=1)
    params = network.init(jax.random.key(0))
    sigma = jnp.asarray([[0.5], [2.0]])
    x = jnp.ones((2, 4)) / network.preconditioning.scale_in(sigma)  # one scaled input
    skip = network.preconditioning.skip(sigma)
    np.testing.assert_allclose(network.apply(params, x, sigma), skip * x, rtol=1e-6)
    rng = np.random.default_rng(0)
    moved = jax.tree.map(
        lambda p: p + rng.normal(size=p.shape).astype(np.float32), params
    )
    raw = (network.apply(moved, x, sigma) - skip * x) / network.preconditioning.out(
        sigma
    )
    assert not np.allclose(raw[0], raw[1])
    with pytest.raises(ValueError, match="width"):
        EdmMlp(length=4, width=7)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_shares_out_of_range_are_refused(share):
    with pytest.raises(ValueError, match="hidden_share"):
        AmbientObjective(hidden_share=share)


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (np.zeros((3, 2), np.float32), "shape"),
        (np.zeros((3, 4)), "float32"),
        (np.full((3, 4), np.inf, np.float32), "infinite"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(rows, match):
    with pytest.raises(ValueError, match=match):
        ContinuousData(rows=rows, shape=(4,))
