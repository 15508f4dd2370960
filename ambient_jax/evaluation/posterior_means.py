"""Posterior means and draws of missing cells, in the units of the data."""

from dataclasses import dataclass

import numpy as np

from ambient_jax.data.continuous import Scaling
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
    def draw_passes(self) -> int:
        """Forward passes of one draw of a row."""
        return self.functions.completer.sampler.passes

    @property
    def passes(self) -> int:
        """Forward passes of the mean of one row."""
        return self.num_draws * self.draw_passes if self.draws else 1

    @property
    def draws(self) -> bool:
        """Whether the network draws missing cells, or only estimates them."""
        return self.functions.visible_share is None

    def __call__(self, params: Params, key: RootKey, rows: np.ndarray) -> np.ndarray:
        """Returns `[N, L]` complete rows; `rows` have NaN in hidden cells."""
        if self.draws:
            draws = (self.draw(params, key, rows, i) for i in range(self.num_draws))
            return sum(draws, np.zeros(rows.shape)) / self.num_draws
        sigma = np.full(len(rows), VISIBLE_SIGMA, np.float32)
        mean = self.functions.estimate(params, key, self.scaling.scaled(rows), sigma)
        return np.where(np.isnan(rows), self.scaling.restored(mean), rows)

    def draw(
        self, params: Params, key: RootKey, rows: np.ndarray, number: int
    ) -> np.ndarray:
        """Returns `[N, L]` rows whose missing cells are drawn.

        Args:
          rows: `[N, L]` with NaN in hidden cells.
          number: draws of other numbers are independent.
        """
        numbers = np.full(len(rows), number, np.uint32)
        scaled = self.scaling.scaled(rows)
        drawn = self.functions.numbered_draw(params, key, scaled, numbers)
        return np.where(np.isnan(rows), self.scaling.restored(drawn), rows)
