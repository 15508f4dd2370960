"""The figures of Gaussian diffusion: imputation, denoising and samples."""

from dataclasses import dataclass

import numpy as np

from ambient_jax.data.continuous import ContinuousDataset, ContinuousHeldOut, Scaling
from ambient_jax.evaluation import estimate
from ambient_jax.evaluation.energy import energy_distance
from ambient_jax.evaluation.estimate import Figures
from ambient_jax.evaluation.suite import Evaluator
from ambient_jax.inference.gaussian_functions import GaussianFunctions
from ambient_jax.types import Params, RootKey

VISIBLE_SIGMA = 0.01
"""Level at which a network that reads a mask estimates hidden cells from given ones."""


@dataclass(frozen=True, kw_only=True)
class PosteriorMeans:
    """Posterior means of hidden cells, in the units of the data.

    A network that reads a mask gives them in one pass, any other by the mean of draws.

    Attributes:
      functions: of the network.
      scaling: between the units of the data and of the network.
      num_draws: draws of a row.
    """

    functions: GaussianFunctions
    scaling: Scaling
    num_draws: int

    @property
    def passes(self) -> int:
        """Forward passes of one row."""
        if self.functions.visible_share is not None:
            return 1
        return self.num_draws * self.functions.completer.sampler.passes

    def __call__(self, params: Params, key: RootKey, rows: np.ndarray) -> np.ndarray:
        """Returns `[N, L]` complete rows; `rows` have NaN in hidden cells."""
        scaled = self.scaling.scaled(rows)
        if self.functions.visible_share is not None:
            sigma = np.full(len(rows), VISIBLE_SIGMA, np.float32)
            mean = self.functions.estimate(params, key, scaled, sigma)
        else:
            mean = np.zeros(rows.shape)
            for number in range(self.num_draws):
                numbers = np.full(len(rows), number, np.uint32)
                mean += self.functions.numbered_draw(params, key, scaled, numbers)
            mean /= self.num_draws
        return np.where(np.isnan(rows), self.scaling.restored(mean), rows)


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
class EnergyDistance:
    """`energy_distance` of generated rows to complete test rows, in data units.

    `data_energy_distance` is that of one half of the test rows to the other half: the
    floor that the finite numbers of rows leave.

    Attributes:
      num_samples: generated rows, and test rows at most.
    """

    functions: GaussianFunctions
    held_out: ContinuousHeldOut
    scaling: Scaling
    num_samples: int

    @property
    def row_passes(self) -> int:
        """See `suite.Evaluator`."""
        return self.num_samples * self.functions.completer.sampler.passes

    def __call__(self, params: Params, key: RootKey) -> Figures:
        test = self.held_out.test[: self.num_samples]
        empty = np.zeros((self.num_samples, test.shape[1]), np.float32)
        drawn = self.scaling.restored(self.functions.sample(params, key, empty))
        yield "energy_distance", energy_distance(drawn, test)
        half = len(test) // 2
        yield "data_energy_distance", energy_distance(test[:half], test[half:])


@dataclass(frozen=True, kw_only=True)
class GaussianEvaluators:
    """Chooses the evaluators that apply to a continuous data set (`suite.Evaluators`).

    Attributes:
      functions: of the network.
      dataset: rows to train on and test rows.
      noise: of the rows, in the unit of the network; 0: they are clean.
      round_rows: test rows of a cheap figure.
      num_draws: draws behind a posterior mean.
      num_samples: generated rows; 0 skips the energy distance.
    """

    functions: GaussianFunctions
    dataset: ContinuousDataset
    noise: float
    round_rows: int
    num_draws: int
    num_samples: int

    @property
    def skipped_figures(self) -> list[str]:
        """One line per group of figures that the data do not allow, with the reason."""
        held_out = self.dataset.held_out
        if held_out is None:
            return ["test_*, energy_distance: there are no test rows (x_test)"]
        lines = []
        if not held_out.hidden.any():
            lines.append("test_imputation_*: no test cell is hidden")
        if np.isnan(held_out.test).any():
            lines.append("energy_distance: the test rows have holes")
        return lines

    def cheap(self, completions: np.ndarray) -> list[Evaluator]:
        """Returns the evaluators of a point of a curve; none of them samples rows."""
        return self._errors(slice(self.round_rows))

    def full(
        self, completions: np.ndarray, nats_per_row: dict[str, np.ndarray] | None
    ) -> list[Evaluator]:
        """Returns the evaluators of every figure that applies, on all rows."""
        found, held_out = self._errors(slice(None)), self.dataset.held_out
        if held_out is None or np.isnan(held_out.test).any() or self.num_samples < 2:
            return found
        return [
            *found,
            EnergyDistance(
                functions=self.functions, held_out=held_out,
                scaling=self.dataset.scaling, num_samples=self.num_samples,
            ),
        ]  # fmt: skip

    def _errors(self, rows: slice) -> list[Evaluator]:
        held_out = self.dataset.held_out
        if held_out is None:
            return []
        few = ContinuousHeldOut(test=held_out.test[rows], shown=held_out.shown[rows])
        scaling, functions = self.dataset.scaling, self.functions
        found: list[Evaluator] = []
        if few.hidden.any():
            means = PosteriorMeans(
                functions=functions, scaling=scaling, num_draws=self.num_draws
            )
            found.append(GaussianImputation(means=means, held_out=few))
        if self.noise:
            found.append(
                Denoising(
                    functions=functions, held_out=few, scaling=scaling, noise=self.noise
                )
            )
        return found
