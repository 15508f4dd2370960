"""Settings become one trainer, whoever fills them in."""

import dataclasses

import numpy as np
import pytest

from ambient_jax.assembly.assemble import assemble, build_optimizer
from ambient_jax.assembly.masked import MaskedSettings, round_at
from ambient_jax.assembly.settings import SMALL, FamilySettings, Settings
from ambient_jax.family import Completer, Objective, TrainingData
from ambient_jax.networks.ensemble import Ensemble
from ambient_jax.tabular.fitting.recipe import Recipe
from ambient_jax.training.ensemble import EnsembleObjective
from tests.toys import Table


def test_masked_diffusion_implements_the_protocols_of_a_family(incomplete, mesh):
    family = SMALL.family
    assert isinstance(family, FamilySettings)
    assert isinstance(family.objective(SMALL.plan, 5), Objective)
    assert isinstance(family.completer(SMALL.plan, 5, 0.6), Completer)
    assert isinstance(EnsembleObjective(member=family.objective(SMALL.plan, 5)),
                      Objective)  # fmt: skip
    assert isinstance(incomplete, TrainingData)


def test_em_starts_and_ends_by_the_missing_share():
    family, plan = MaskedSettings(), dataclasses.replace(SMALL, rounds=100).plan
    for missing, start, final in (
        (0.1, 0.25, 1.0), (0.6, 0.25, 1.0), (0.75, 0.2083, 0.95), (0.9, 0.1667, 0.9),
        (0.99, 0.1667, 0.9),
    ):  # fmt: skip
        assert family.default_start(missing) == pytest.approx(start, abs=1e-4)
        completer = family.completer(plan, 25, missing)
        assert completer.final_temperature == final
        assert completer.temperature_after(99 - 25) == final
    fixed = dataclasses.replace(family, final_temperature=0.8)
    assert fixed.completer(plan, 25, 0.6).final_temperature == 0.8


def test_consistency_starts_with_the_run_or_with_em():
    plan = SMALL.plan
    for start, step in ((0.0, 0), (0.5, 10 * 50), (None, 5 * 50)):
        family = MaskedSettings(consistency_start=start)
        assert family.objective(plan, 5).consistency_start_step == step
    without_em = MaskedSettings(consistency_start=None).objective(plan, None)
    assert without_em.consistency_start_step == 0
    assert MaskedSettings(consistency_weight=0.0).objective(plan, 5).consistency is None


def test_a_run_without_em_has_no_completer(incomplete, mesh):
    settings = dataclasses.replace(SMALL, em=False, batch_size=32, estep_batch_size=32)
    trainer = assemble(Table(6), incomplete, settings, mesh)
    assert trainer.estep.start_round is None
    assert trainer.estep.completer is None
    assert trainer.plan == settings.plan


def test_members_of_an_ensemble_share_the_clipping_of_their_mean(incomplete, mesh):
    settings = dataclasses.replace(SMALL, batch_size=32, estep_batch_size=32)
    trainer = assemble(Ensemble(member=Table(6), size=2), incomplete, settings, mesh)
    assert isinstance(trainer.objective, EnsembleObjective)
    assert trainer.objective.metric_names == trainer.objective.member.metric_names
    params = {"kernel": np.zeros((2, 8, 8), np.float32)}
    grads = {"kernel": np.ones((2, 8, 8), np.float32)}
    optimizer = build_optimizer(settings, members=2)
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    assert updates["kernel"].shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("rows", "devices", "batch"), [(20, 1, 32), (100, 1, 64), (100, 8, 64),
                                   (5000, 1, 256), (5000, 3, 255)],
)  # fmt: skip
def test_a_recipe_fits_the_rows_and_the_devices(rows, devices, batch):
    settings = Recipe().settings(rows, devices, seed=7)
    assert (settings.batch_size, settings.estep_batch_size) == (batch, 2 * batch)
    assert settings.plan.seed == 7
    assert settings.start_round(0.3) == settings.rounds // 2


def test_a_fit_of_one_round_has_no_em():
    assert Recipe(rounds=1).settings(100, 1, seed=0).start_round(0.3) is None
    assert Recipe(em_start=1.0).settings(100, 1, seed=0).start_round(0.3) is None


def test_shares_of_a_run_fall_on_its_rounds():
    assert [round_at(s, 20) for s in (0.0, 0.25, 0.5, 0.999)] == [0, 5, 10, 19]
    with pytest.raises(ValueError, match="em_start must lie"):
        Settings(em_start=1.0)
    with pytest.raises(ValueError, match="consistency_start must lie"):
        MaskedSettings(consistency_start=-0.1)
