"""The outer loop: resume at any point, one compilation, leaks, divergence, toys."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ambient_jax.compilation import shared
from ambient_jax.data.dataset import IncompleteData
from ambient_jax.diffusion.masked.completer import MaskedCompleter
from ambient_jax.diffusion.masked.consistency import Consistency
from ambient_jax.diffusion.masked.objective import MaskedObjective
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.errors import TrainingDiverged
from ambient_jax.mesh import make_mesh
from ambient_jax.networks.decoder import Decoder
from ambient_jax.priors.independent import IndependentPrior
from ambient_jax.priors.latent import LatentPrior
from ambient_jax.training.estep import EStep
from ambient_jax.training.hooks import Interrupted, Quiet
from ambient_jax.training.trainer import Plan, Trainer
from tests.toys import Table, joint, kl, model_joint, rows_of

PLAN = Plan(
    rounds=4, steps_per_round=5, batch_size=32, estep_batch_size=32, ema_decay=0.9
)
ESTEP = EStep(
    start_round=1,
    row_share=0.7,
    completer=MaskedCompleter(
        initial_sampler=Sampler(num_reveals=6),
        refresh_sampler=Sampler(num_reveals=2),
        fraction=0.3,
    ),
)
MARTINGALE = MaskedObjective(
    natural_share=0.5,
    consistency=Consistency(form="martingale", stop="noisier"),
    consistency_weight=1.0,
    consistency_start_step=8.0,
)


def trainer_of(data, mesh, objective=MARTINGALE, estep=ESTEP, plan=PLAN, rate=0.01):
    network = Table(data.tokens.shape[1])
    return Trainer(network, data, objective, estep, plan, optax.adam(rate), mesh)


def bits(progress):
    leaves = jax.tree.leaves((progress.state.params, progress.state.ema))
    return [np.asarray(x) for x in leaves] + [progress.completions]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(bits(a), bits(b), strict=True))


class StopAfter(Quiet):
    """Asks to stop after so many questions, and keeps a copy of what is saved."""

    def __init__(self, after):
        self.left, self.saved = after, None

    def interrupted(self):
        self.left -= 1
        return self.left < 0

    def save(self, progress):
        self.saved = dataclasses.replace(
            progress,
            state=jax.tree.map(lambda x: jnp.array(np.asarray(x)), progress.state),
            prior=jax.tree.map(lambda x: jnp.array(np.asarray(x)), progress.prior),
            completions=progress.completions.copy(),
        )


PRIOR = LatentPrior(
    decoder=Decoder(shape=(6,), num_values=2, latents=2, hidden=(8,)),
    members=2, num_steps=7, batch_size=32, fit_points=64, points=128,
)  # fmt: skip
PLAIN = (np.float32(1.0), np.float32(1.0))  # temperature, fraction
PRIOR_ESTEP = dataclasses.replace(ESTEP, prior=PRIOR, prior_rounds=2)


@pytest.mark.parametrize("after", [0, 3, 6, 10, 13, 20])
def test_a_fit_of_a_prior_is_resumed_too(incomplete, mesh, after):
    """Stops fall in the fit (0, 3), around its end, in draws and between rounds."""
    whole = trainer_of(incomplete, mesh, estep=PRIOR_ESTEP)
    finished = whole.run(whole.start(), Quiet())
    hooks = StopAfter(after)
    first = trainer_of(incomplete, mesh, estep=PRIOR_ESTEP)
    with pytest.raises(Interrupted):
        first.run(first.start(), hooks)
    second = trainer_of(incomplete, mesh, estep=PRIOR_ESTEP)
    assert same(second.run(hooks.saved, Quiet()), finished)


def test_the_prior_draws_in_its_rounds_only(incomplete, mesh):
    """Round 0 has no E-step, 1 and 2 are the prior's, 3 is the network's."""
    trainer = trainer_of(incomplete, mesh, estep=PRIOR_ESTEP)
    assert [trainer.estep.kind(r) for r in range(4)] == [
        "none", "prior", "prior", "later",
    ]  # fmt: skip
    progress = trainer.start()
    completions, params = progress.completions, trainer.sampling_params(progress)
    for where in trainer.prior_fit.draws(progress.prior, completions, 1, PLAIN):
        assert (completions[:where] < 2).all()
    observed = incomplete.observed
    assert (completions[observed] == incomplete.tokens[observed]).all()
    by_prior = completions.copy()
    [*trainer.driver.run(params, completions, 3)]
    assert (completions != by_prior).any()


@pytest.mark.parametrize("after", [0, 3, 6, 14, 17, 23])
def test_stopped_anywhere_and_resumed_it_ends_bitwise_the_same(incomplete, mesh, after):
    """Stops fall in the fresh (6) and the warm E-step (17), M-steps, between rounds."""
    whole = trainer_of(incomplete, mesh)
    finished = whole.run(whole.start(), Quiet())
    hooks = StopAfter(after)
    first = trainer_of(incomplete, mesh)
    with pytest.raises(Interrupted):
        first.run(first.start(), hooks)
    second = trainer_of(incomplete, mesh)
    assert same(second.run(hooks.saved, Quiet()), finished)


def test_a_resumed_estep_leaves_the_rows_before_its_start_alone(incomplete, mesh):
    """Refreshing a row twice with one key is mostly a refresh: the test above can miss
    an E-step that starts over."""
    trainer = trainer_of(incomplete, mesh)
    params = trainer.start().state.params
    before = np.where(incomplete.observed, incomplete.tokens, 0).astype(np.uint8)
    after, chosen = before.copy(), trainer.driver.chosen_rows(2)
    assert [*trainer.driver.run(params, after, 2, start=64)] == [96, 128, 140]
    changed = np.flatnonzero((before != after).any(axis=1))
    assert changed.min() >= chosen[64]
    assert len(changed) > 20


def test_another_seed_ends_elsewhere(incomplete, mesh):
    """The equality above is not vacuous."""
    a = trainer_of(incomplete, mesh)
    b = trainer_of(incomplete, mesh, plan=dataclasses.replace(PLAN, seed=1))
    assert not same(a.run(a.start(), Quiet()), b.run(b.start(), Quiet()))


def test_observed_tokens_are_never_changed(incomplete, mesh):
    trainer = trainer_of(incomplete, mesh)
    progress = trainer.run(trainer.start(), Quiet())
    observed = incomplete.observed
    assert np.array_equal(progress.completions[observed], incomplete.tokens[observed])
    assert (progress.completions < 2).all()


def test_hidden_values_are_not_in_what_training_holds():
    """Two truths that differ only where hidden make one training object."""
    rng = np.random.default_rng(0)
    x = rows_of(joint(6), 50, rng)
    hidden = rng.random(x.shape) < 0.6
    made = [
        IncompleteData(
            tokens=np.where(hidden, 2, truth).astype(np.uint8), shape=(6,), num_values=2
        )
        for truth in (x, np.where(hidden, 1 - x, x))
    ]
    assert np.array_equal(made[0].tokens, made[1].tokens)
    assert {f.name for f in dataclasses.fields(IncompleteData)} == {
        "tokens", "shape", "num_values", "context", "excluded_rows",
    }  # fmt: skip


def test_every_function_compiles_once(incomplete, mesh):
    """Over all rounds: one train step, one fresh and one warm E-step."""
    shared.cache_clear()  # of other tests
    trainer = trainer_of(incomplete, mesh)
    with count_compilations() as counts:
        trainer.run(trainer.start(), Quiet())
    assert counts["_step"] == 1
    assert counts["_run"] == 2  # the E-step's fresh and warm RowMap


def test_results_do_not_depend_on_the_number_of_devices(incomplete):
    one, eight = (
        trainer_of(incomplete, make_mesh(n), plan=dataclasses.replace(PLAN, rounds=2))
        for n in (1, 8)
    )
    a, b = one.run(one.start(), Quiet()), eight.run(eight.start(), Quiet())
    for x, y in zip(
        jax.tree.leaves(a.state.params), jax.tree.leaves(b.state.params), strict=True
    ):
        np.testing.assert_allclose(x, y, atol=1e-5)
    assert np.mean(a.completions != b.completions) < 0.01


def test_a_loss_that_is_not_finite_stops_with_round_and_step(incomplete, mesh):
    class Broken(Table):
        def apply(self, params, z):
            return super().apply(params, z) + jnp.nan

    trainer = Trainer(
        Broken(6), incomplete, MARTINGALE, ESTEP, PLAN, optax.adam(0.1), mesh
    )
    with pytest.raises(TrainingDiverged, match="round 0, step 0"):
        trainer.run(trainer.start(), Quiet())


def test_rows_with_nothing_observed_are_allowed(incomplete, mesh):
    tokens = incomplete.tokens.copy()
    tokens[::3] = 2
    trainer = trainer_of(dataclasses.replace(incomplete, tokens=tokens), mesh)
    progress = trainer.run(trainer.start(), Quiet())
    assert all(np.isfinite(x).all() for x in bits(progress))


def toy_kl(reveals, start_round=10, prior=None):
    """KL(truth || model) in nats of a look-up table trained from 60 % missing rows.

    `start_round=None` is the baseline: no E-step. A prior draws in the first 20 rounds,
    of 160 in place of 60: EM forgets where it starts by the share that is observed.
    """
    length, rng = 4, np.random.default_rng(0)
    p = joint(length)
    x = rows_of(p, 40_000, rng)
    tokens = np.where(rng.random(x.shape) < 0.6, 2, x).astype(np.uint8)
    data = IncompleteData(tokens=tokens, shape=(length,), num_values=2)
    sampler = Sampler(num_reveals=reveals)
    plan = Plan(
        rounds=60 if prior is None else 160, steps_per_round=20, batch_size=5000,
        estep_batch_size=5000, ema_decay=0.99,
    )  # fmt: skip
    steps = plan.rounds * plan.steps_per_round
    trainer = Trainer(
        Table(length), data,
        MaskedObjective(natural_share=0.0, imputed_weight=0.1, t_min=0.05),
        EStep(start_round=start_round, completer=MaskedCompleter(
            initial_sampler=sampler, refresh_sampler=sampler, fraction=0.5
        ), prior=prior, prior_rounds=0 if prior is None else 20),
        plan, optax.adam(optax.cosine_decay_schedule(0.03, steps, alpha=0.01)),
        make_mesh(1),
    )  # fmt: skip
    progress = trainer.run(trainer.start(), Quiet())
    return kl(p, model_joint(progress.state.ema, length))


def test_em_reaches_the_true_joint_and_a_wrong_sampler_does_not():
    right, wrong = toy_kl(reveals=4), toy_kl(reveals=1)
    baseline = toy_kl(reveals=4, start_round=None)
    print(f"nats: EM {right:.4f}, one bulk reveal {wrong:.4f}, baseline {baseline:.4f}")
    assert right < 0.015, right
    assert wrong > 4 * right, (right, wrong)


@pytest.mark.slow
def test_em_after_a_prior_reaches_the_true_joint():
    """Independent shares are a bad start, from which EM comes back."""
    latent = dataclasses.replace(
        PRIOR, decoder=Decoder(shape=(4,), num_values=2, latents=3, hidden=(32,)),
        num_steps=200, batch_size=512, fit_points=256, points=4096,
    )  # fmt: skip
    for prior in (latent, IndependentPrior(num_values=2)):
        found = toy_kl(reveals=4, start_round=0, prior=prior)
        print(f"nats: EM after {type(prior).__name__} {found:.4f}")
        assert found < 0.02, found


class count_compilations:  # noqa: N801
    """Counts the XLA compilations by the name of the jitted function."""

    def __enter__(self):
        self.counts = {}
        import logging

        self.handler = logging.Handler()
        self.handler.emit = self._emit
        self.logger = logging.getLogger("jax._src.interpreters.pxla")
        self.level = self.logger.level
        jax.config.update("jax_log_compiles", True)
        self.logger.addHandler(self.handler)
        self.logger.propagate = False
        return self.counts

    def _emit(self, record):
        words = record.getMessage().split()
        if words[0] == "Compiling":
            name = words[1].removeprefix("jit(").removesuffix(")")
            self.counts[name] = self.counts.get(name, 0) + 1

    def __exit__(self, *_):
        jax.config.update("jax_log_compiles", False)
        self.logger.removeHandler(self.handler)
        self.logger.propagate = True


def test_batches_of_a_round_are_whole_passes(incomplete, mesh):
    trainer = trainer_of(
        incomplete, mesh, plan=dataclasses.replace(PLAN, batch_size=40)
    )
    order = trainer.batches.order(2)
    counts = np.bincount(order.ravel(), minlength=len(incomplete))
    assert counts.min() == counts.max() == 1
    assert not np.array_equal(order, trainer.batches.order(3))
    assert len(list(itertools.chain(order))) == PLAN.steps_per_round
