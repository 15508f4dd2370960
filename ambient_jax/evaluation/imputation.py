"""How well hidden cells are filled in."""

from dataclasses import dataclass

import numpy as np

from ambient_jax.data.dataset import HeldOut
from ambient_jax.evaluation import estimate
from ambient_jax.evaluation.estimate import Figures
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.types import Params, RootKey


@dataclass(frozen=True, kw_only=True)
class Imputation:
    """`test_imputation_accuracy` of the most probable value of each hidden cell, and
    `test_imputation_rmse` and `test_imputation_mae` of its posterior mean (grey levels
    in [0, 1]).

    Attributes:
      held_out: complete test rows and what is shown of them.
      ordered: whether values are levels of a quantity. Otherwise, as with characters,
        there is no mean of them, and `test_imputation_rmse` is left out.
    """

    functions: RowFunctions
    held_out: HeldOut
    ordered: bool = True

    @property
    def row_passes(self) -> int:
        """See `suite.Evaluator`."""
        return len(self.held_out.test)

    def __call__(self, params: Params, key: RootKey) -> Figures:
        truth, hidden = self.held_out.test, ~self.held_out.test_observed
        if not hidden.any():
            return
        mode, mean = self.functions.marginals(params, key, self.held_out.shown)
        top = self.held_out.mask - 1
        cells = hidden.sum(axis=1).astype(float)
        right = ((mode == truth) & hidden).sum(axis=1).astype(float)
        yield from estimate.ratio("test_imputation_accuracy", right, cells)
        if not self.ordered:
            return
        error = np.where(hidden, mean - truth, 0.0) / top
        yield from estimate.ratio(
            "test_imputation_rmse", (error**2).sum(axis=1), cells,
            lambda mse: float(np.sqrt(mse)),
        )  # fmt: skip
        yield from estimate.ratio(
            "test_imputation_mae", np.abs(error).sum(axis=1), cells
        )
