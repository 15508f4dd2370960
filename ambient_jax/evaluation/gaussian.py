"""The figures of Gaussian diffusion: imputation, denoising and samples."""

from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from ambient_jax.data.continuous import ContinuousDataset, ContinuousHeldOut, Scaling
from ambient_jax.evaluation import estimate
from ambient_jax.evaluation.coverage import Coverage
from ambient_jax.evaluation.energy import energy_figures
from ambient_jax.evaluation.estimate import Figures
from ambient_jax.evaluation.posterior_means import PosteriorMeans
from ambient_jax.evaluation.samples import Judge
from ambient_jax.evaluation.suite import Evaluator
from ambient_jax.inference.gaussian_functions import GaussianFunctions
from ambient_jax.types import Params, RootKey


@dataclass(frozen=True, kw_only=True)
class GaussianImputation:
    """`test_imputation_rmse` and `test_imputation_mae` of posterior means.

    They are over hidden test cells, in the units of the data.
    """

    means: PosteriorMeans
    held_out: ContinuousHeldOut

    @property
    def row_passes(self) -> int:
        """See `suite.Evaluator`."""
        return len(self.held_out.test) * self.means.passes

    def __call__(self, params: Params, key: RootKey) -> Figures:
        hidden = self.held_out.hidden
        error = self.means(params, key, self.held_out.shown) - self.held_out.test
        error = np.where(hidden, error, 0.0)
        cells = hidden.sum(axis=1).astype(float)
        yield from estimate.ratio(
            "test_imputation_rmse", (error**2).sum(axis=1), cells,
            lambda mse: float(np.sqrt(mse)),
        )  # fmt: skip
        yield from estimate.ratio(
            "test_imputation_mae", np.abs(error).sum(axis=1), cells
        )


@dataclass(frozen=True, kw_only=True)
class Denoising:
    """`test_denoising_rmse` of the estimate of clean test rows from noisy ones.

    Attributes:
      noise: level of the noise, in the unit of the network.
    """

    functions: GaussianFunctions
    held_out: ContinuousHeldOut
    scaling: Scaling
    noise: float

    @property
    def row_passes(self) -> int:
        """See `suite.Evaluator`."""
        return len(self.held_out.test)

    def __call__(self, params: Params, key: RootKey) -> Figures:
        scaled = self.scaling.scaled(self.held_out.shown)
        sigma = np.full(len(scaled), self.noise, np.float32)
        found = self.functions.estimate(params, key, scaled, sigma)
        error = self.scaling.restored(found) - self.held_out.test
        known = np.isfinite(error)
        squares = np.where(known, error, 0.0) ** 2
        yield from estimate.ratio(
            "test_denoising_rmse", squares.sum(axis=1), known.sum(axis=1).astype(float),
            lambda mse: float(np.sqrt(mse)),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class GaussianSamples:
    """`energy_distance` of generated rows, in data units, and the figures of `Judge`.

    A completion is one draw; of a network that makes no draws, the posterior mean.

    Attributes:
      means: posterior means, and the functions of the network.
      judge: of the data set; None: its rows have no labels.
      num_samples: generated rows, and completed test rows at most.
    """

    means: PosteriorMeans
    held_out: ContinuousHeldOut
    judge: Judge | None
    num_samples: int

    @property
    def row_passes(self) -> int:
        """See `suite.Evaluator`; the classifier, a small network, is left out."""
        passes, completed = self.means.draw_passes, 0
        if self.judge is not None and self.held_out.hidden.any():
            few = len(self.held_out.test[: self.num_samples])
            completed = few * (passes if self.means.draws else self.means.passes)
        return self.num_samples * passes + completed

    def __call__(self, params: Params, key: RootKey) -> Figures:
        generate, complete = jax.random.split(key)
        test = self.held_out.test
        empty = np.zeros((self.num_samples, test.shape[1]), np.float32)
        drawn = self.means.functions.sample(params, generate, empty)
        samples = self.means.scaling.restored(drawn)
        yield from energy_figures(samples, test)
        if self.judge is None:
            return
        yield from self.judge.samples(samples)
        shown = self.held_out.shown[: self.num_samples]
        if self.held_out.hidden.any():
            draws = self.means.draws
            rows = (
                self.means.draw(params, complete, shown, 0)
                if draws
                else self.means(params, complete, shown)
            )
            yield from self.judge.completions(rows)


@dataclass(frozen=True, kw_only=True)
class GaussianEvaluators:
    """Chooses the evaluators that apply to a continuous data set (`suite.Evaluators`).

    Attributes:
      means: posterior means, and the functions of the network.
      dataset: rows to train on and test rows.
      noise: of the rows, in the unit of the network; 0: they are clean.
      round_rows: test rows of a cheap figure.
      num_samples: generated rows; 0 skips their figures.
      num_interval_rows: test rows for the coverage of intervals; 0 skips it.
      cache: file for the trained classifier.
    """

    means: PosteriorMeans
    dataset: ContinuousDataset
    noise: float
    round_rows: int
    num_samples: int
    num_interval_rows: int
    cache: Path

    @property
    def skipped_figures(self) -> list[str]:
        """One line per group of figures that the data do not allow, with the reason."""
        held_out = self.dataset.held_out
        if held_out is None:
            return ["test_*, energy_distance: there are no test rows (x_test)"]
        lines = []
        if not held_out.hidden.any():
            lines.append("test_imputation_*: no test cell is hidden")
        elif not self.means.draws:
            lines.append("test_coverage_90: the network makes no draws")
        if not held_out.complete:
            lines.append("energy_distance: the test rows have holes")
        elif held_out.labels is None:
            lines.append(
                "sample_fid, imputed_classifier_accuracy: they need labels to train a "
                "classifier on"
            )
        return lines

    def cheap(self, completions: np.ndarray) -> list[Evaluator]:
        """Returns the evaluators of a point of a curve; none of them samples rows."""
        return self._errors(slice(self.round_rows))

    def full(
        self, completions: np.ndarray, nats_per_row: dict[str, np.ndarray] | None
    ) -> list[Evaluator]:
        """Returns the evaluators of every figure that applies, on all rows."""
        found, held_out = self._errors(slice(None)), self.dataset.held_out
        if held_out is None:
            return found
        if held_out.complete and min(self.num_samples, len(held_out.test)) > 1:
            found.append(
                GaussianSamples(
                    means=self.means, held_out=held_out, judge=self._judge(held_out),
                    num_samples=self.num_samples,
                )
            )  # fmt: skip
        rows, scaled = slice(self.num_interval_rows), self.means.scaling.scaled
        if self.means.draws and held_out.hidden[rows].any():
            found.append(
                Coverage(
                    draw=self.means.functions.numbered_draw,
                    passes=self.means.draw_passes, truth=scaled(held_out.test[rows]),
                    shown=scaled(held_out.shown[rows]), hidden=held_out.hidden[rows],
                )
            )  # fmt: skip
        return found

    def _judge(self, held_out: ContinuousHeldOut) -> Judge | None:
        if held_out.labels is None:
            return None
        functions = self.means.functions
        return Judge(
            test=held_out.test, labels=held_out.labels, num_values=2,
            shape=self.dataset.train.shape, mesh=functions.mesh,
            batch_size=functions.batch_size, cache=self.cache,
        )  # fmt: skip

    def _errors(self, rows: slice) -> list[Evaluator]:
        held_out = self.dataset.held_out
        if held_out is None:
            return []
        few = ContinuousHeldOut(test=held_out.test[rows], shown=held_out.shown[rows])
        found: list[Evaluator] = []
        if few.hidden.any():
            found.append(GaussianImputation(means=self.means, held_out=few))
        if self.noise:
            found.append(
                Denoising(
                    functions=self.means.functions, held_out=few,
                    scaling=self.means.scaling, noise=self.noise,
                )
            )  # fmt: skip
        return found
