"""`import ambient_jax as aj`: what the README shows, on toy rows."""

import dataclasses

import numpy as np
import pytest

import ambient_jax as aj
from ambient_jax.experiment import build
from configs import em_consistency
from tests.toys import joint, rows_of


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    x = rows_of(joint(6), 400, rng).astype(int)
    return np.where(rng.random(x.shape) < 0.4, -1, x)


@pytest.fixture(scope="module")
def model(rows):
    data = aj.load_data(rows)
    network = aj.build_denoiser(data, width=32, depth=1)
    prior = aj.PriorSettings(steps=40, members=1)
    settings = aj.Fit(rounds=6, steps_per_round=40, prior=prior)
    return aj.fit(data, network, settings)


def test_every_name_of_the_package_is_there():
    for name in dir(aj):
        assert getattr(aj, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = aj.nothing


def test_fit_has_the_settings_of_the_config():
    config = em_consistency.get_config("digits")
    assert aj.Fit().settings(devices=1) == build.settings(config)
    assert aj.Settings() == build.settings(em_consistency.get_config())


def test_the_devices_divide_the_batch_size_of_a_fit():
    settings = aj.Fit(batch_size=100).settings(devices=8)
    assert (settings.batch_size, settings.estep_batch_size) == (96, 192)


def test_impute_keeps_what_was_observed_and_fills_the_rest(model, rows):
    drawn = model.impute(rows[:50], num_draws=3)
    assert drawn.shape == (3, 50, 6)
    assert set(np.unique(drawn)) <= {0, 1}
    seen = rows[:50] >= 0
    assert np.array_equal(drawn[:, seen], np.stack([rows[:50][seen]] * 3))
    assert not np.array_equal(drawn[0], drawn[1])
    assert np.array_equal(drawn, model.impute(rows[:50], num_draws=3))
    mean = model.posterior_mean(rows[:50])
    assert np.array_equal(mean[seen], rows[:50][seen])


def test_scores_are_near_the_truth_and_marginalise_missing_cells(model):
    p = joint(6)
    x = rows_of(p, 300, np.random.default_rng(1)).astype(int)
    truth = np.log(p[tuple(x.T)])
    scores = model.score(x)
    assert scores.shape == (300,)
    gap = (truth - scores).mean()  # KL to the truth plus the looseness of the bound
    independent = np.log(np.clip(x.mean(axis=0), 0.01, 0.99))
    alone = (x * independent + (1 - x) * np.log1p(-np.exp(independent))).sum(axis=1)
    assert -0.1 < gap < (truth - alone).mean()
    assert np.array_equal(model.score(np.full((2, 6), -1)), np.zeros(2))


def test_samples_have_the_marginals_of_the_data(model):
    p = joint(6)
    drawn = model.sample(2000)
    for i in range(6):
        axes = tuple(a for a in range(6) if a != i)
        assert abs(drawn[:, i].mean() - p.sum(axis=axes)[1]) < 0.15


def test_rows_that_do_not_fit_the_model_are_refused(model):
    with pytest.raises(aj.UserError, match=r"shape \(1, 5\)"):
        model.impute(np.zeros((1, 5), int))
    with pytest.raises(aj.UserError, match=r"values must lie in 0\.\.1"):
        model.impute(np.full((1, 6), 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.impute(np.zeros((0, 6), int)), "no rows"),
        (lambda m: m.score(np.zeros((0, 6), int)), "no rows"),
        (lambda m: m.impute(np.full((1, 6), "a")), "whole numbers"),
        (lambda m: m.score(np.full((1, 6), None)), "type object"),
        (lambda m: m.impute(np.full((1, 6), 0.5)), "fractions"),
        (lambda m: m.impute(np.full((1, 6), 1), num_draws=0), "at least 1, got 0"),
        (lambda m: m.sample(0), "num must be at least 1, got 0"),
        (lambda m: m.sample(1, seed=2**40), "seed 1099511627776 lies outside"),
        (lambda m: m.sample(1, seed=-1), "seed -1 lies outside"),
        (lambda m: aj.load_data(np.zeros((9, 6), int), side=4), "not to an array"),
        (lambda m: aj.load_data(np.full((9, 6), "a")), "whole numbers"),
    ],
)
def test_what_cannot_be_used_is_a_user_error(model, call, message):
    with pytest.raises(aj.UserError, match=message):
        call(model)


def test_a_saved_model_is_read_back_bit_for_bit(model, rows, tmp_path):
    model.save(tmp_path / "model")
    back = aj.Model.load(tmp_path / "model")
    assert back.denoiser == model.denoiser
    assert (back.sampler, back.shape) == (model.sampler, model.shape)
    np.testing.assert_array_equal(model.impute(rows[:20]), back.impute(rows[:20]))
    np.testing.assert_array_equal(model.score(rows[:20]), back.score(rows[:20]))


def test_a_network_of_your_own_is_given_again(model, tmp_path):
    class Own(type(model.denoiser)):
        pass

    names = [field.name for field in dataclasses.fields(model.denoiser)]
    own = Own(**{name: getattr(model.denoiser, name) for name in names})
    dataclasses.replace(model, denoiser=own).save(tmp_path)
    with pytest.raises(aj.UserError, match="a network of your own, Own"):
        aj.Model.load(tmp_path)
    assert aj.Model.load(tmp_path, denoiser=own).denoiser is own


@pytest.mark.parametrize("name", ["model.json", "model.npz"])
@pytest.mark.parametrize("share", [None, 0.0, 0.5])
def test_a_saved_model_that_is_torn_is_refused(model, tmp_path, name, share):
    model.save(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if share is not None:
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(aj.UserError, match=r"holds no saved|damaged or foreign"):
        aj.Model.load(tmp_path)
