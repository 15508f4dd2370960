"""Two data sets that differ only where nobody looked train to the same bits."""

import jax
import numpy as np
import optax
import pytest

from ambient_jax.data.load import from_rows
from ambient_jax.data.missingness import MCAR, Blocks, Lines
from ambient_jax.data.npz import Rows
from ambient_jax.diffusion.masked.completer import MaskedCompleter
from ambient_jax.diffusion.masked.consistency import Consistency
from ambient_jax.diffusion.masked.objective import MaskedObjective
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.evaluation.masked import MaskedEvaluators
from ambient_jax.evaluation.suite import Suite
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.training.estep import EStep
from ambient_jax.training.hooks import Quiet
from ambient_jax.training.trainer import Plan, Trainer
from tests.toys import Table

N, LENGTH = 120, 6


def dataset(x, mechanism):
    rng = np.random.default_rng(5)
    x_test = rng.integers(0, 2, (30, LENGTH))
    y, y_test = rng.integers(0, 2, N), rng.integers(0, 2, 30)
    rows = Rows(x=x, x_test=x_test, y=y, y_test=y_test, num_values=2)
    return from_rows(rows, "toy", missingness=mechanism, shuffle=False)


class Recording(Quiet):
    """Keeps all figures of a run, times apart."""

    def __init__(self, suite, trainer):
        self.suite, self.trainer, self.figures = suite, trainer, []

    def log(self, round_, step, metrics):
        kept = {k: v for k, v in metrics.items() if not k.endswith("_per_s")}
        self.figures.append((round_, step, kept))

    def evaluate(self, progress):
        params = self.trainer.sampling_params(progress)
        found = self.suite.cheap(params, progress.completions, jax.random.key(0))
        self.log(progress.position.round, -1, found)


def run(data, mesh, tmp_path):
    """Everything that training leaves: parameters, optimizer, completions, figures."""
    network = Table(LENGTH)
    trainer = Trainer(
        network, data.train,
        MaskedObjective(
            consistency=Consistency(form="martingale", stop="noisier"),
            consistency_weight=1.0,
        ),
        EStep(start_round=1, completer=MaskedCompleter(
            initial_sampler=Sampler(num_reveals=16), fraction=0.3,
            refresh_sampler=Sampler(num_reveals=2, corrector_sweeps=1),
        )),
        Plan(rounds=4, steps_per_round=4, batch_size=24, estep_batch_size=24),
        optax.adam(0.05), mesh,
    )  # fmt: skip
    suite = Suite(evaluators=MaskedEvaluators(
        functions=RowFunctions(network, mesh, 32, Sampler(num_reveals=2)), dataset=data,
        round_rows=30, num_draws=1, num_exact=0, num_samples=0, num_interval_rows=0,
        cache=tmp_path / "none",
    ))  # fmt: skip
    hooks = Recording(suite, trainer)
    progress = trainer.run(trainer.start(), hooks)
    leaves = jax.tree.leaves(progress.state)
    return [np.asarray(leaf) for leaf in leaves] + [progress.completions], hooks.figures


def both(mechanism, changed):
    """The data, and the same with the other value in `changed(observed)` cells."""
    x = np.random.default_rng(0).integers(0, 2, (N, LENGTH))
    first = dataset(x, mechanism)
    observed = np.concatenate([first.valid.observed, first.train.observed])
    return first, dataset(np.where(changed(observed), 1 - x, x), mechanism)


@pytest.mark.parametrize("mechanism", [MCAR(rate=0.5), Blocks(rate=0.5), Lines()])
def test_hidden_values_change_no_bit_of_a_run(mechanism, mesh, tmp_path):
    first, second = both(mechanism, np.logical_not)
    # The truths do differ: evaluation holds them.
    assert not np.array_equal(first.held_out.train_truth, second.held_out.train_truth)
    bits, figures = run(first, mesh, tmp_path)
    other_bits, other_figures = run(second, mesh, tmp_path)
    assert all(np.array_equal(a, b) for a, b in zip(bits, other_bits, strict=True))
    assert figures == other_figures
    assert "valid_nll_nats" in figures[1][2]


def test_one_observed_value_changes_them(mesh, tmp_path):
    """The test above can fail."""

    def one(observed):
        chosen = np.zeros_like(observed)
        place = np.flatnonzero(observed)[-1]  # of the last training row
        chosen.ravel()[place] = True
        return chosen

    first, second = both(MCAR(rate=0.5), one)
    bits, figures = run(first, mesh, tmp_path)
    other_bits, other_figures = run(second, mesh, tmp_path)
    assert not np.array_equal(bits[1], other_bits[1])
    assert figures != other_figures
