"""Sizes of a run on an `.npz`: what its evaluation and its E-steps may cost."""

import numpy as np
import pytest

from ambient_jax.data.npz_header import array_shapes
from ambient_jax.experiment.setup import make
from configs import em_consistency, own_rows

STEP_PASSES = 4.8
"""Forward passes that a row of a train step with consistency costs (1.9 s for 128 rows
beside 324 rows and passes a second, on the core where the sizes were chosen)."""


def made(tmp_path, rows, side, complete=False, values=2):
    rng = np.random.default_rng(0)
    x = rng.integers(0, values, (rows, side, side), np.int8)
    arrays = {"y": rng.integers(0, 5, rows)} if complete else {}
    if not complete:
        x[rng.random(x.shape) < 0.8] = -1
    np.savez(tmp_path / "own.npz", x=x, **arrays)
    config = em_consistency.get_config(str(tmp_path / "own.npz"))
    return config, make(config, tmp_path / "classifier.npz")


@pytest.mark.parametrize(
    ("rows", "side", "complete", "values"),
    [
        (300, 8, False, 2), (4500, 28, False, 2), (4500, 28, True, 2),
        (30_000, 16, False, 2), (2000, 64, True, 2), (20_000, 10, True, 2),
        (1000, 28, False, 2), (4500, 28, True, 16), (20_000, 10, True, 16),
    ],
)  # fmt: skip
def test_evaluation_costs_at_most_15_percent(tmp_path, rows, side, complete, values):
    config, setup = made(tmp_path, rows, side, complete, values)
    plan, trainer = setup.trainer.plan, setup.trainer
    training = plan.rounds * plan.steps_per_round * plan.batch_size * STEP_PASSES
    reveals = {"initial": config.em.initial_reveals, "later": config.em.reveals}
    esteps = sum(  # draws of the prior need no pass
        trainer.rows_drawn(r) * reveals.get(trainer.estep.kind(r), 0)
        for r in range(plan.rounds)
    )
    finished = np.zeros_like(setup.dataset.train.tokens)
    gallery = setup.gallery.row_passes
    cheap = setup.suite.row_passes(finished, full=False) + gallery
    times = plan.rounds // config.eval.every_rounds
    evaluation = times * cheap + setup.suite.row_passes(finished, full=True) + gallery
    assert times >= 3  # the best checkpoint needs a choice
    assert evaluation < 0.15 * (training + esteps + evaluation)
    assert esteps < 0.6 * training


@pytest.mark.parametrize("side", [1, 7, 8, 14, 16, 17, 28, 33, 64, 65, 200])
def test_attention_sees_a_few_pixels_whatever_the_side(side):
    widths = own_rows.widths(side)
    for _ in widths[1:]:
        side = -(-side // 2)
    assert side <= own_rows.COARSEST
    assert widths[-2:] == (32, 64)
    assert min(widths) >= own_rows.NARROWEST


def test_shapes_are_read_without_the_data(tmp_path):
    arrays = {"x": np.zeros((5, 3, 2), np.int8), "y": np.zeros(5, int)}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    shapes = {name: array.shape for name, array in arrays.items()}
    assert array_shapes(tmp_path / "a.npz") == shapes
    (tmp_path / "bad.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:100])
    assert array_shapes(tmp_path / "bad.npz") == {}
    assert array_shapes(tmp_path / "none.npz") == {}
    np.savez(tmp_path / "other.npz", rows=np.zeros(3))  # no x: small sizes, then a line
    config = em_consistency.get_config(str(tmp_path / "other.npz"))
    assert tuple(config.network.widths) == (32, 64)
