"""Settings of the E-step: when it runs and how cold it draws."""

import dataclasses

import jax
import numpy as np
import pytest

from ambient_jax.training.estep import Completer, EStep
from tests.toys import Table


def test_the_temperature_rises_to_its_end_and_stays():
    estep = EStep(first_round=3, temperature=0.5, warming_rounds=4)
    assert [estep.temperature_in(r) for r in (3, 4, 5, 7, 9)] == [
        0.5, 0.625, 0.75, 1.0, 1.0,
    ]  # fmt: skip
    assert EStep(first_round=3, temperature=0.5).temperature_in(9) == 0.5
    cooler = dataclasses.replace(estep, final_temperature=0.7)
    assert cooler.temperature_in(5) == pytest.approx(0.6)
    assert cooler.temperature_in(9) == pytest.approx(0.7)


@pytest.mark.parametrize(
    "field", [{"temperature": 0.0}, {"final_temperature": 0.0}, {"warming_rounds": 0}]
)
def test_settings_that_cannot_be_are_refused(field):
    with pytest.raises(ValueError, match=next(iter(field))):
        EStep(**field)


def test_every_estep_draws_at_its_own_temperature(incomplete, mesh):
    """Nearly cold draws are all the mode; at 1, the same model draws both values."""
    network = Table(incomplete.tokens.shape[1])
    params = network.init(jax.random.key(0)).at[..., 1].set(1.0)
    hidden = incomplete.tokens == 2
    shares = []
    for estep in (
        EStep(first_round=0, temperature=1e-3),
        EStep(first_round=0, temperature=1e-3, warming_rounds=1, fraction=1.0),
    ):
        completer = Completer(network, incomplete, estep, mesh, 40, 0)
        completions = incomplete.tokens.copy()
        for round_ in (0, 1):
            list(completer.run(params, completions, round_))
            shares.append(completions[hidden].mean())
    chance = 1 / (1 + np.exp(-1))
    assert shares[:3] == [1, 1, 1]
    assert abs(shares[3] - chance) < 5 * np.sqrt(chance * (1 - chance) / hidden.sum())


def test_rows_that_were_not_drawn_stay_as_observed_until_their_turn(incomplete, mesh):
    network = Table(incomplete.tokens.shape[1])
    params = network.init(jax.random.key(0))
    completer = Completer(
        network, incomplete, EStep(first_round=0, rows=0.3, first_rows=0.3), mesh, 40, 0
    )
    completions, drawn = incomplete.tokens.copy(), np.zeros(len(incomplete), bool)
    for round_ in range(4):
        list(completer.run(params, completions, round_))
        drawn[completer.chosen_rows(round_)] = True
        assert 60 <= drawn.sum() < len(incomplete)
        np.testing.assert_array_equal(completions[~drawn], incomplete.tokens[~drawn])
        assert (completions[drawn] < incomplete.mask).all()
    seen = incomplete.observed
    np.testing.assert_array_equal(completions[seen], incomplete.tokens[seen])
