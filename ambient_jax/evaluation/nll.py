"""Negative log-likelihood evaluators, in nats per row."""

from dataclasses import dataclass

import jax
import numpy as np

from ambient_jax.evaluation import estimate
from ambient_jax.evaluation.estimate import Figures
from ambient_jax.inference.row_functions import (
    DEFECT_PASSES,
    LEVELS,
    ORDER_GAP_PASSES,
    RowFunctions,
)
from ambient_jax.types import Params, RootKey


@dataclass(frozen=True, kw_only=True)
class Nll:
    """ELBO of the scored cells given the others (`diffusion.likelihood`).

    Attributes:
      name: e.g. `test_nll_nats`.
      x: `[N, L]` rows, known wherever scored.
      scored: `[N, L]` bool. All True: generation; the hidden cells: imputation.
      num_draws: repeats of the ten noise levels.
      bits: also yield the mean in bits per scored cell under this name.
      by_t: also yield `test_nll_by_t/0.05` and `test_nll_by_t_se/0.05` ... under this
        name.
      nats_per_row: gets the nats of each row `[N]` under `name`, for comparisons of
        runs row by row; NaN for a row with nothing to score.
    """

    functions: RowFunctions
    name: str
    x: np.ndarray
    scored: np.ndarray
    num_draws: int = 1
    bits: str | None = None
    by_t: str | None = None
    nats_per_row: dict[str, np.ndarray] | None = None

    @property
    def row_passes(self) -> int:
        """See `suite.Evaluator`."""
        return int(self.scored.any(axis=1).sum()) * LEVELS * self.num_draws

    def __call__(self, params: Params, key: RootKey) -> Figures:
        some = self.scored.any(axis=1)  # a row with nothing to score says nothing
        if not some.any():
            return
        x, scored = self.x[some], self.scored[some]
        levels = np.mean(
            [
                self.functions.elbo(params, jax.random.fold_in(key, d), x, scored)
                for d in range(self.num_draws)
            ],
            axis=0,
        )
        of_rows = levels.mean(axis=1)
        if self.nats_per_row is not None:
            self.nats_per_row[self.name] = np.full(len(self.x), np.nan)
            self.nats_per_row[self.name][some] = of_rows
        yield from estimate.mean(self.name, of_rows)
        if self.bits:
            yield from bits_per_cell(self.bits, of_rows, scored)
        if self.by_t:
            for k, nats in enumerate(levels.T):
                level = f"{(k + 0.5) / LEVELS:.2f}"
                for name, value in estimate.mean(self.by_t, nats):
                    yield f"{name}/{level}", value


def bits_per_cell(name: str, nats: np.ndarray, scored: np.ndarray) -> Figures:
    """Bits per scored cell of rows `[N]`: all nats over all cells, over ln 2."""
    return estimate.ratio(name, nats / np.log(2), scored.sum(axis=1).astype(float))


@dataclass(frozen=True, kw_only=True)
class ExactNll:
    """Chain rule in one random order per row: the second opinion, L passes.

    Attributes:
      bits: also yield the mean in bits per cell under this name.
    """

    functions: RowFunctions
    name: str
    x: np.ndarray
    bits: str | None = None

    @property
    def row_passes(self) -> int:
        """See `suite.Evaluator`."""
        return self.x.size

    def __call__(self, params: Params, key: RootKey) -> Figures:
        everything = np.ones(self.x.shape, bool)
        nats = self.functions.chain_rule(params, key, self.x, everything)
        yield from estimate.mean(self.name, nats)
        if self.bits:
            yield from bits_per_cell(self.bits, nats, everything)


@dataclass(frozen=True, kw_only=True)
class ConsistencyGap:
    """`consistency_gap` and `order_gap`, the means of these defects over rows."""

    functions: RowFunctions
    x: np.ndarray

    @property
    def row_passes(self) -> int:
        """See `suite.Evaluator`."""
        return len(self.x) * (DEFECT_PASSES + ORDER_GAP_PASSES)

    def __call__(self, params: Params, key: RootKey) -> Figures:
        gap = self.functions.defect(params, key, self.x)
        yield from estimate.mean("consistency_gap", gap)
        yield from estimate.mean(
            "order_gap", self.functions.order_gap(params, key, self.x)
        )
