"""Figures of the Gaussian family on a Gaussian whose exact denoiser is known."""

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.data.continuous import (
    ContinuousData,
    ContinuousDataset,
    ContinuousHeldOut,
    Scaling,
)
from ambient_jax.data.dataset import Labels
from ambient_jax.diffusion.gaussian.posterior import PosteriorCompleter
from ambient_jax.diffusion.gaussian.sampling import EdmSampler
from ambient_jax.evaluation.gaussian import GaussianEvaluators
from ambient_jax.evaluation.posterior_means import PosteriorMeans
from ambient_jax.evaluation.suite import Suite
from ambient_jax.inference.gaussian_functions import GaussianFunctions
from ambient_jax.mesh import make_mesh
from tests.gaussian import normal

UNITS = Scaling(mean=np.asarray([2.0]), sd=np.asarray([5.0]))
"""The data are in other units than those of the network."""


@dataclass(frozen=True)
class Exact:
    """The denoiser of the true mean, and of `params` times the true covariance."""

    length: int = normal.LENGTH

    def init(self, key):
        return jnp.ones(())

    def apply(self, params, x, sigma, visible=None):
        mean = jnp.asarray(normal.MEAN, jnp.float32)
        return normal.linear(mean, params * jnp.asarray(normal.SIGMA, jnp.float32))(
            x, sigma
        )


@dataclass(frozen=True)
class Counted(Exact):
    """A denoiser that counts the rows of its forward passes."""

    rows: list = field(default_factory=list)

    def apply(self, params, x, sigma, visible=None):
        jax.debug.callback(lambda: self.rows.append(x.shape[0]))
        return super().apply(params, x, sigma, visible)


def dataset(count=300, labels=True):
    test = UNITS.restored(normal.rows(count))
    reference = UNITS.restored(normal.rows(200, seed=3))
    kinds = [(x[:, 0] > 2.0).astype(int) for x in (test, reference)]
    held_out = ContinuousHeldOut(
        test=test, shown=normal.with_holes(test, 0.5),
        labels=Labels(test=kinds[0], reference=reference, reference_labels=kinds[1])
        if labels else None,
    )  # fmt: skip
    train = ContinuousData(rows=normal.rows(50, seed=4), shape=(normal.LENGTH,))
    return ContinuousDataset(
        name="toy", train=train, held_out=held_out, scaling=UNITS, observed_share=1.0
    )


def evaluators(
    data, cache, visible_share=None, batch_size=512, num_samples=300, network=Exact()
):
    sampler = EdmSampler(num_steps=16, sigma_min=0.02, sigma_max=10.0)
    functions = GaussianFunctions(
        network, make_mesh(1), batch_size,
        PosteriorCompleter(sampler=sampler, iterations=normal.LENGTH), visible_share,
    )  # fmt: skip
    means = PosteriorMeans(functions=functions, scaling=UNITS, num_draws=3)
    return GaussianEvaluators(
        means=means, dataset=data, noise=0.0, round_rows=20, num_samples=num_samples,
        num_interval_rows=min(num_samples, 100), cache=cache / "classifier.npz",
    )  # fmt: skip


def figures(made, spread):
    found = Suite(evaluators=made).full(
        jnp.float32(spread), np.zeros((0, 6)), jax.random.key(0)
    )
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Figures of the exact model, and of one with a tenth of the variance."""
    made = evaluators(dataset(), tmp_path_factory.mktemp("figures"))
    return figures(made, 1.0), figures(made, 0.1)


def test_the_exact_model_is_calibrated_and_a_narrow_one_is_not(found):
    exact, narrow = (part["test_coverage_90"] for part in found)
    assert abs(exact - 0.9) < 4 * found[0]["test_coverage_90_se"] + 0.02
    assert narrow < 0.75


def test_every_figure_of_samples_tells_both_models_apart(found):
    exact, narrow = found
    assert abs(exact["energy_distance"]) < 0.3
    assert narrow["energy_distance"] > 1.0
    assert narrow["sample_fid"] > 2 * exact["sample_fid"] + exact["sample_fid_se"]
    assert exact["classifier_accuracy"] > 0.9
    assert exact["imputed_classifier_accuracy"] > 0.6


def test_errors_are_those_of_the_conditional_mean_in_the_units_of_the_data(found):
    held_out = dataset().held_out
    scaled, squares = UNITS.scaled(held_out.shown), []
    for row, x in zip(scaled, held_out.test, strict=True):
        hidden = np.isnan(row)
        if hidden.any():
            mean, covariance = normal.conditional(row)
            own = UNITS.sd[0] * 2 * mean + UNITS.mean[0] - x[hidden]
            # The mean of three draws adds a third of the conditional variance.
            squares += [*(own**2 + 4 * UNITS.sd[0] ** 2 * np.diag(covariance) / 3)]
    assert found[0]["test_imputation_rmse"] == pytest.approx(
        np.sqrt(np.mean(squares)), rel=0.08
    )


def test_what_the_data_or_the_network_lack_is_left_out_with_a_line(tmp_path):
    data = dataset(count=20, labels=False)
    plain = evaluators(data, tmp_path, num_samples=20)
    lines = plain.skipped_figures
    assert [line.startswith("sample_fid") for line in lines] == [True]
    names = {*figures(plain, 1.0)}
    assert {"energy_distance", "test_coverage_90"} <= names
    assert not names & {"sample_fid", "imputed_classifier_accuracy"}
    masked = evaluators(data, tmp_path, visible_share=0.5)
    assert any("test_coverage_90" in line for line in masked.skipped_figures)
    assert len(masked.full(np.zeros(0), None)) == len(plain.full(np.zeros(0), None)) - 1
    own = replace(data.held_out, test=normal.with_holes(data.held_out.test, 0.1))
    holes = replace(data, held_out=own)
    assert any("energy" in line for line in evaluators(holes, tmp_path).skipped_figures)


def test_the_cost_of_an_evaluator_is_what_it_calls_the_network_for(tmp_path):
    network = Counted()
    made = evaluators(
        dataset(count=3), tmp_path, batch_size=1, num_samples=2, network=network
    )
    for evaluator in made.full(np.zeros(0), None):
        network.rows.clear()
        dict(evaluator(jnp.float32(1.0), jax.random.key(0)))
        jax.effects_barrier()
        assert sum(network.rows) == evaluator.row_passes, evaluator
