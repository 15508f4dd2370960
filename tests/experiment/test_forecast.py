"""The forecast of a run: nothing is counted twice, and the pace corrects it."""

import itertools

import pytest

from ambient_jax.experiment.forecast import SHORT_S, Forecast, Plan, duration
from ambient_jax.training.progress import Position

PLAN = Plan(
    mstep=10.0, esteps=(0.0, 8.0, 4.0), evaluations=(0.0, 3.0, 3.0), final=5.0,
    steps_per_round=5, rows=(0, 100, 50), prior_step=2.0, prior_steps=10,
)  # fmt: skip


def positions():
    """Every point of a run, in order."""
    for step in range(10):
        yield Position(phase="prior", index=step)
    for round_ in range(3):
        for done in range(0, PLAN.rows[round_], 25):
            yield Position(round=round_, phase="estep", index=done)
        for step in range(5):
            yield Position(round=round_, phase="mstep", index=step)
        yield Position(round=round_, phase="evaluate")
    yield Position(round=3, phase="done")


def test_what_is_left_falls_to_the_final_figures():
    left = [sum(PLAN.left(p)) for p in positions()]
    assert left[0] == 20 + 30 + 12 + 6 + 5
    assert left[-1] == PLAN.final
    assert all(a >= b for a, b in itertools.pairwise(left))


def test_each_part_falls_in_its_own_phase():
    halfway = PLAN.left(Position(round=1, phase="estep", index=50))
    assert halfway == (0, 20, 8, 11)
    assert PLAN.left(Position(phase="prior", index=4)) == (12, 30, 12, 11)
    assert PLAN.left(Position(round=1, phase="mstep", index=4)) == (0, 12, 4, 11)
    assert PLAN.left(Position(round=1, phase="evaluate")) == (0, 10, 4, 11)


@pytest.mark.parametrize("slower", [0.25, 1.0, 4.0])
def test_the_pace_of_a_machine_that_slows_down_is_found(slower):
    """At first the plan counts, and in the end the pace alone."""
    assert Forecast.pace(0.0, 0.0) == 1
    assert Forecast.pace(1e5, slower * 1e5) == pytest.approx(slower, rel=0.01)
    early = Forecast.pace(1.0, slower)
    assert min(1, slower) <= early <= max(1, slower)


def test_a_long_run_is_told_how_to_end_sooner():
    assert PLAN.hint(0.5) is None
    slow = Plan(**{**vars(PLAN), "mstep": SHORT_S, "steps_per_round": 100})
    hint = slow.hint(0.5)
    assert hint is not None
    steps, share = (float(part.split()[0]) for part in hint.split("=")[1:])
    esteps = (0.0, 8.0, 4.0 * share / 0.5)
    shorter = Plan(**{**vars(slow), "mstep": slow.mstep * steps / 100,
                      "esteps": esteps})  # fmt: skip
    assert 0.95 * SHORT_S < sum(shorter.left(Position(phase="prior"))) <= SHORT_S


def test_durations_in_words():
    assert [duration(s) for s in (4.2, 600.0, 9000.0)] == ["4 s", "10 min", "2.5 h"]
