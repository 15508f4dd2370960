"""Figures on toys with known answers, and which ones are left out."""

from dataclasses import dataclass, field, replace

import jax
import numpy as np
import pytest

from ambient_jax.data.dataset import Dataset, HeldOut, IncompleteData, Labels
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.evaluation.coverage import Coverage
from ambient_jax.evaluation.masked import VALID_FACTOR, MaskedEvaluators
from ambient_jax.evaluation.pictures import Gallery
from ambient_jax.evaluation.suite import Suite
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.mesh import make_mesh
from tests.toys import Table, conditional, joint, rows_of

P = joint(4)


def dataset(complete=True, labels=True, held_out=True, n=3000):
    rng = np.random.default_rng(0)
    train, test = rows_of(P, 300, rng), rows_of(P, n, rng)
    observed = rng.random(test.shape) < 0.5
    hide = rng.random(train.shape) < 0.6
    tokens = np.where(hide, 2, train).astype(np.uint8)
    part = IncompleteData(tokens=tokens, shape=(4,), num_values=2)
    return Dataset(
        name="toy", train=part, valid=part, observed_share=0.4,
        held_out=HeldOut(
            test=test if complete else np.where(observed, test, 2).astype(np.uint8),
            test_observed=observed, mask=2,
            labels=Labels(test=test[:, 0].astype(int), reference=train,
                          reference_labels=train[:, 0].astype(int)) if labels else None,
        ) if held_out else None,
    )  # fmt: skip


def suite_of(data, tmp_path, num_samples=400):
    network, params = Table.exact(P)
    functions = RowFunctions(network, make_mesh(1), 512, Sampler(num_reveals=4))
    made = Suite(evaluators=MaskedEvaluators(
        functions=functions, dataset=data, round_rows=100, num_draws=2, num_exact=200,
        num_samples=num_samples, num_interval_rows=20,
        cache=tmp_path / "classifier.npz",
    ))  # fmt: skip
    return made, params


def expected_figures(data):
    """By enumeration of the joint."""
    accuracy, squares, nats, cells = 0.0, 0.0, 0.0, 0
    for x, shown in zip(data.held_out.test, data.held_out.test_observed, strict=True):
        if shown.all():
            continue
        given = conditional(P, tuple(np.where(shown, x, 2)))
        nats += -np.log(given[tuple(x)])
        for i in np.flatnonzero(~shown):
            p1 = given.take(1, axis=i).sum()
            accuracy += (p1 > 0.5) == x[i]
            squares += (p1 - x[i]) ** 2
            cells += 1
    rows = (~data.held_out.test_observed).any(axis=1).sum()
    return accuracy / cells, np.sqrt(squares / cells), nats / rows


def test_figures_of_the_exact_model(tmp_path):
    data = dataset()
    suite, params = suite_of(data, tmp_path)
    figures = suite.full(params, data.train.tokens, jax.random.key(0))
    accuracy, rmse, nats = expected_figures(data)
    entropy = -np.log(P[tuple(data.held_out.test.T)]).mean()
    assert figures["test_imputation_accuracy"] == pytest.approx(accuracy, abs=1e-3)
    assert figures["test_imputation_rmse"] == pytest.approx(rmse, abs=1e-3)
    for name, value in (("test_imputation_nll_nats", nats), ("test_nll_nats", entropy)):
        assert abs(figures[name] - value) < 4 * figures[f"{name}_se"], name
    assert abs(figures["test_nll_exact_nats"] - entropy) < (
        4 * figures["test_nll_exact_nats_se"]
    )
    levels = [v for k, v in figures.items() if k.startswith("test_nll_by_t/")]
    assert len(levels) == 10
    assert np.mean(levels) == pytest.approx(figures["test_nll_nats"], rel=1e-5)
    # One token is revealed per GAP on average here, so the bulk bias is not zero.
    assert abs(figures["consistency_gap"]) < 0.02
    assert figures["imputed_classifier_accuracy"] > 0.5
    assert "completion_nll_nats" not in figures
    assert all(f"{k}_se" in figures for k in figures if k in WITH_ERROR)


WITH_ERROR = (
    "test_nll_nats", "test_nll_exact_nats", "test_imputation_accuracy", "sample_fid",
    "test_imputation_rmse", "consistency_gap", "order_gap", "valid_nll_nats",
    "sample_class_entropy", "imputed_classifier_accuracy",
)  # fmt: skip


def test_a_worse_model_has_worse_figures(tmp_path):
    """Every figure of quality can tell the exact model from a noisy one."""
    data = dataset()
    suite, params = suite_of(data, tmp_path)
    wrong = params + 2.0 * jax.random.normal(jax.random.key(1), params.shape)
    full = data.held_out.test[:300]
    good, bad = (suite.full(p, full, jax.random.key(0)) for p in (params, wrong))
    for name in ("test_nll_nats", "test_imputation_nll_nats", "test_imputation_rmse",
                 "consistency_gap", "order_gap", "valid_nll_nats",
                 "completion_nll_nats",
                 "test_nll_exact_nats"):  # fmt: skip
        assert bad[name] > good[name] + 2 * good[f"{name}_se"], name
    assert bad["test_imputation_accuracy"] < good["test_imputation_accuracy"]


def test_without_truth_its_figures_are_left_out_with_a_line(tmp_path):
    for data, absent in (
        (dataset(held_out=False), "no test rows"),
        (dataset(complete=False, labels=False), "test rows have holes"),
    ):
        suite, params = suite_of(data, tmp_path)
        figures = suite.full(params, data.train.tokens, jax.random.key(0))
        assert not any(k.startswith(("test_", "sample_", "imputed_")) for k in figures)
        assert "valid_nll_nats" in figures
        assert "consistency_gap" in figures
        assert any(absent in line for line in suite.skipped_figures)


@pytest.mark.parametrize(
    ("num_samples", "n", "why"),
    [
        (0, 50, "two samples or more, not num_samples=0"),
        (1, 50, "two samples or more, not num_samples=1"),
        (20, 1, "two test rows"),
        (20, 50, None),
    ],
)
def test_why_samples_are_not_judged(tmp_path, num_samples, n, why):
    suite, _ = suite_of(dataset(n=n), tmp_path, num_samples)
    assert (suite.evaluators._samples is None) == (why is not None)
    assert [why in line for line in suite.skipped_figures] == [True] * (why is not None)


def test_cheap_figures_score_the_first_rows_only(tmp_path):
    """Full ones score all: the choice of the best checkpoint stays cheap."""
    data = dataset()
    changed = np.where(data.valid.tokens == 1, 0, data.valid.tokens)
    changed[: VALID_FACTOR * 20] = data.valid.tokens[: VALID_FACTOR * 20]
    other = replace(data, valid=replace(data.valid, tokens=changed))
    cheap, full = [], []
    for each in (data, other):
        suite, params = suite_of(each, tmp_path)
        few = replace(suite.evaluators, round_rows=20)
        suite, key = replace(suite, evaluators=few), jax.random.key(0)
        for figures, run in ((cheap, suite.cheap), (full, suite.full)):
            figures.append(run(params, data.train.tokens, key)["valid_nll_nats"])
    assert cheap[0] == cheap[1]
    assert full[0] != full[1]


def test_the_classifier_is_read_back(tmp_path):
    data = dataset()
    suite, params = suite_of(data, tmp_path)
    first = suite.full(params, data.train.tokens, jax.random.key(0))
    assert (tmp_path / "classifier.npz").exists()
    again, _ = suite_of(data, tmp_path)
    second = again.full(params, data.train.tokens, jax.random.key(0))
    assert first == second


def test_intervals_of_the_exact_model_cover_90_percent():
    """Ties among binary tokens are broken at random; a surer model is caught."""
    data = dataset(n=600)
    network, params = Table.exact(P)
    functions = RowFunctions(network, make_mesh(1), 512, Sampler(num_reveals=4))
    coverage = Coverage(
        draw=functions.numbered_draw, passes=4, truth=data.held_out.test,
        shown=data.held_out.shown, hidden=~data.held_out.test_observed,
    )  # fmt: skip
    exact, surer = (
        dict(coverage(p, jax.random.key(0))) for p in (params, 3.0 * params)
    )
    name, error = "test_coverage_90", exact["test_coverage_90_se"]
    assert abs(exact[name] - 0.9) < 4 * error
    assert surer[name] < 0.9 - 4 * error


def test_gallery_keeps_what_was_observed(tmp_path):
    data = dataset()
    network, params = Table.exact(P)
    functions = RowFunctions(network, make_mesh(1), 16, Sampler(num_reveals=4))
    found = Gallery(functions=functions, dataset=data, count=8)(
        params, data.train.tokens, jax.random.key(0)
    )
    seen = found["test_observed"] < 2
    assert found["samples"].shape == (8, 4)
    assert np.array_equal(found["test_completed"][seen], found["test_truth"][seen])
    assert np.array_equal(found["test_mean"][seen], found["test_truth"][seen])
    assert (found["test_completed"] < 2).all()


@dataclass(frozen=True)
class Counted(Table):
    """A table that counts the rows of its forward passes."""

    rows: list = field(default_factory=list)

    def apply(self, params, z):
        jax.debug.callback(lambda: self.rows.append(z.shape[0]))
        return super().apply(params, z)


def test_the_cost_of_an_evaluator_is_what_it_calls_the_network_for(tmp_path):
    """Otherwise the forecast of a run would be wrong, and nothing would show it."""
    data = dataset(n=12)
    hidden = np.zeros_like(data.held_out.test_observed)  # rows that take all steps
    data = replace(data, held_out=replace(data.held_out, test_observed=hidden))
    _, params = Table.exact(P)
    network = Counted(4)
    functions = RowFunctions(network, make_mesh(1), 1, Sampler(num_reveals=3))
    evaluators = MaskedEvaluators(
        functions=functions, dataset=data, round_rows=5, num_draws=2, num_exact=3,
        num_samples=4, num_interval_rows=2, cache=tmp_path / "classifier.npz",
    )  # fmt: skip
    full = data.held_out.test[:7]
    gallery = Gallery(functions=functions, dataset=data, count=6)
    made = [*evaluators.cheap(full), *evaluators.full(full, None)]
    for evaluator in made:
        network.rows.clear()
        dict(evaluator(params, jax.random.key(0)))
        jax.effects_barrier()
        assert sum(network.rows) == evaluator.row_passes, evaluator
    network.rows.clear()
    gallery(params, full, jax.random.key(0))
    jax.effects_barrier()
    means = 3  # one pass for each row whose mean is shown
    assert sum(network.rows) == gallery.row_passes + means
