"""Settings of the E-step: when it runs and how cold it draws."""

import dataclasses

import jax
import numpy as np
import pytest

from ambient_jax.diffusion.masked.completer import MaskedCompleter
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.training.estep import EStep, EStepDriver
from tests.toys import Table


def completer(**changes):
    fields = {
        "initial_sampler": Sampler(num_reveals=16),
        "refresh_sampler": Sampler(num_reveals=4), "fraction": 0.3,
    }  # fmt: skip
    return MaskedCompleter(**fields | changes)


def test_the_temperature_rises_to_its_end_and_stays():
    draws = completer(temperature=0.5, warming_rounds=4)
    assert [draws.temperature_after(r) for r in (0, 1, 2, 4, 6)] == [
        0.5, 0.625, 0.75, 1.0, 1.0,
    ]  # fmt: skip
    assert completer(temperature=0.5).temperature_after(6) == 0.5
    cooler = dataclasses.replace(draws, final_temperature=0.7)
    assert cooler.temperature_after(2) == pytest.approx(0.6)
    assert cooler.temperature_after(6) == pytest.approx(0.7)
    assert cooler.describe(6) == "temperature 0.7"


def test_the_first_estep_redraws_everything_and_later_ones_a_fraction():
    draws = completer(temperature=0.5)
    assert [tuple(map(float, draws.schedule(r))) for r in (0, 1)] == [
        (0.5, 1.0), (0.5, float(np.float32(0.3))),
    ]  # fmt: skip
    assert draws.program(initial=True) == Sampler(num_reveals=16)
    assert draws.program(initial=False) == Sampler(num_reveals=4)


@pytest.mark.parametrize(
    "field",
    [{"temperature": 0.0}, {"final_temperature": 0.0}, {"warming_rounds": 0},
     {"fraction": 0.0}, {"fraction": 1.5}],
)  # fmt: skip
def test_completer_settings_that_cannot_be_are_refused(field):
    with pytest.raises(ValueError, match=next(iter(field))):
        completer(**field)


@pytest.mark.parametrize(
    "field", [{"row_share": 0.0}, {"initial_row_share": 1.5}, {"start_round": -1}]
)
def test_estep_settings_that_cannot_be_are_refused(field):
    with pytest.raises(ValueError, match=next(iter(field))):
        EStep(**{"start_round": 0, "completer": completer()} | field)


def test_an_estep_without_a_completer_is_refused():
    with pytest.raises(ValueError, match="needs a completer"):
        EStep(start_round=0)
    assert not EStep(start_round=None).runs_in(3)


def test_every_estep_draws_at_its_own_temperature(incomplete, mesh):
    """Nearly cold draws are all the mode; at 1, the same model draws both values."""
    network = Table(incomplete.tokens.shape[1])
    params = network.init(jax.random.key(0)).at[..., 1].set(1.0)
    hidden = incomplete.tokens == 2
    shares = []
    for draws in (
        completer(temperature=1e-3),
        completer(temperature=1e-3, warming_rounds=1, fraction=1.0),
    ):
        estep = EStep(start_round=0, completer=draws)
        driver = EStepDriver(network, incomplete, estep, mesh, 40, 0)
        completions = incomplete.tokens.copy()
        for round_ in (0, 1):
            list(driver.run(params, completions, round_))
            shares.append(completions[hidden].mean())
    chance = 1 / (1 + np.exp(-1))
    assert shares[:3] == [1, 1, 1]
    assert abs(shares[3] - chance) < 5 * np.sqrt(chance * (1 - chance) / hidden.sum())


def test_rows_that_were_not_drawn_stay_as_observed_until_their_turn(incomplete, mesh):
    network = Table(incomplete.tokens.shape[1])
    params = network.init(jax.random.key(0))
    estep = EStep(
        start_round=0, row_share=0.3, initial_row_share=0.3, completer=completer()
    )
    driver = EStepDriver(network, incomplete, estep, mesh, 40, 0)
    completions, drawn = incomplete.tokens.copy(), np.zeros(len(incomplete), bool)
    for round_ in range(4):
        list(driver.run(params, completions, round_))
        drawn[driver.chosen_rows(round_)] = True
        assert 60 <= drawn.sum() < len(incomplete)
        np.testing.assert_array_equal(completions[~drawn], incomplete.tokens[~drawn])
        assert (completions[drawn] < incomplete.mask).all()
    seen = incomplete.observed
    np.testing.assert_array_equal(completions[seen], incomplete.tokens[seen])
