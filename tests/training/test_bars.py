"""Progress bars: they move with the work, and are silent where nobody looks."""

from ambient_jax.training.bars import TerminalBar, watched
from ambient_jax.training.hooks import Quiet
from ambient_jax.training.trainer import Trainer
from tests.training.test_trainer import trainer_of


def test_a_bar_that_is_asked_for_shows_label_place_and_figures(capsys):
    bar = TerminalBar("round 2/9 M-step", 50, 10, always=True)
    bar.update(30, {"easy_loss": 0.25, "grad_norm": 7.0})
    bar.close()
    shown = capsys.readouterr().err
    assert "round 2/9 M-step" in shown
    assert "10/50" in shown


def test_bars_are_silent_where_there_is_no_terminal(capsys):
    bar = TerminalBar("round 2/9 M-step", 50, 0)
    bar.update(50)
    bar.close()
    assert list(watched([1, 2, 3])) == [1, 2, 3]
    assert capsys.readouterr().err == ""


def test_the_bar_of_an_m_step_moves_with_every_step(incomplete, mesh):
    moves: list[int] = []

    class Watching(Quiet):
        def bar(self, phase, round_, total, done):
            bar = super().bar(phase, round_, total, done)
            if phase == "M-step" and round_ == 0:
                bar.update = lambda done, figures=None: moves.append(done)
            return bar

    trainer: Trainer = trainer_of(incomplete, mesh)
    trainer.run(trainer.start(), Watching())
    assert sorted(set(moves)) == list(range(1, trainer.plan.steps_per_round + 1))
