"""No key is used twice: over a whole run every key on every path is another one."""

import collections
import dataclasses

import jax
import numpy as np
import pytest

from ambient_jax import keys
from ambient_jax.training.estep import EStepDriver
from ambient_jax.training.hooks import Quiet
from tests.training.test_trainer import ESTEP, PLAN, trainer_of


def test_jax_watches_over_keys_in_all_tests():
    assert jax.config.jax_debug_key_reuse
    key = jax.random.key(0)
    jax.random.uniform(key)
    with pytest.raises(jax.errors.KeyReuseError):
        jax.random.uniform(key)


def test_purposes_have_numbers_of_their_own():
    names = keys.Purpose.__members__
    assert len({int(purpose) for purpose in names.values()}) == len(names)


def test_a_key_is_a_function_of_all_its_arguments():
    arguments = [
        (seed, purpose, *rest)
        for seed in (0, 1)
        for purpose in (keys.Purpose.E_STEP, keys.Purpose.SAMPLE)
        for rest in ((), (1,), (2,), (1, 2), (2, 1))
    ]
    for make in (
        lambda *a: jax.random.key_data(keys.derive(*a)),
        lambda *a: keys.host_rng(*a).integers(2**62, size=2),
    ):
        found = [tuple(np.asarray(make(*a)).tolist()) for a in arguments]
        assert len(set(found)) == len(found)
        assert tuple(np.asarray(make(*arguments[3])).tolist()) == found[3]


def test_every_train_step_draws_anew(incomplete, mesh):
    """The same batch at two steps gives two losses: the step is folded in."""
    trainer = trainer_of(incomplete, mesh)
    progress = trainer.start()
    batch = trainer.batches.placed(progress.completions, np.arange(32))
    losses = []
    for step in range(3):
        start = trainer.start().state
        placed = jax.device_put(np.int32(step), start.step.sharding)
        state = dataclasses.replace(start, step=placed)
        losses.append(float(trainer.step(state, batch, trainer.key)[1]["loss"]))
    assert len(set(losses)) == 3, losses


def test_every_round_of_the_estep_has_keys_of_its_own(incomplete, mesh, monkeypatch):
    """And so has every row and every reveal: all are collected and compared."""
    roots = collections.Counter()
    derive = keys.derive

    def spy(*arguments):
        key = derive(*arguments)
        roots[tuple(np.asarray(jax.random.key_data(key)).tolist())] += 1
        return key

    monkeypatch.setattr(keys, "derive", spy)
    trainer = trainer_of(incomplete, mesh)
    trainer.run(trainer.start(), Quiet())
    # One for the steps, one for the parameters, one for each E-step.
    assert len(roots) == 2 + PLAN.rounds - ESTEP.start_round
    assert set(roots.values()) == {1}


def test_the_same_completions_move_differently_in_each_round(incomplete, mesh):
    trainer = trainer_of(incomplete, mesh)
    params = trainer.start().state.params
    settings = dataclasses.replace(ESTEP, start_round=0, row_share=1.0)
    driver = EStepDriver(trainer.denoiser, incomplete, settings, mesh, 40, 0)
    drawn = []
    for round_ in (1, 2):
        completions = np.where(incomplete.observed, incomplete.tokens, 0)
        list(driver.run(params, completions, round_))
        drawn.append(completions)
    assert not np.array_equal(*drawn)
    # Nor do two rows of one round move alike.
    moved = {tuple(row) for row in drawn[0] + 3 * ~incomplete.observed}
    assert len(moved) > 60
