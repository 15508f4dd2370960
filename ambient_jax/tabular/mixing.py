"""Decides by held-out cells how far each column trusts its regression."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ambient_jax.tabular.columns.codec import Encoded
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.prediction import Prediction
from ambient_jax.tabular.held_out_cells import HeldOutCells
from ambient_jax.tabular.linear.features import Features
from ambient_jax.tabular.linear.regression import Mixing, Regression
from ambient_jax.tabular.model import TableModel

MIN_GAIN = 5.0
"""Nats that a mixture must gain on the held-out cells of a column. Its three parameters
are fitted to the same cells, which by itself gains about 1.5 (Wilks 1938)."""

START = (-1.0, -0.5, 0.1)
"""Intercept, slope and log inflation of `Mixing` from which their search starts."""

BOUNDS = ((-8.0, 8.0), (-5.0, 1.0), (-1.0, 2.0))
"""Their bounds."""

PRIOR_MEAN, PRIOR_SD = np.array([-2.0, 0.0, 0.0]), np.array([3.0, 2.0, 1.0])
"""Mean and standard deviation of their normal prior."""


def with_regression(
    model: TableModel, encoded: Encoded, excluded_rows: np.ndarray,
    held_out: Sequence[HeldOutCells],
) -> TableModel:  # fmt: skip
    """Returns the model with a regression, or as it is where that helps no column.

    It is fitted without the held-out rows first, whose cells then decide how far each
    column trusts it, and after that on all rows.

    Args:
      model: the fitted model, without a regression.
      encoded: the N rows of `fit`.
      excluded_rows: `[N, K]` bool, the rows that networks held out.
      held_out: cells of these rows.
    """
    if not held_out:
        return model
    features = Features.of_codec(model.codec)
    trained = np.flatnonzero(~excluded_rows.any(axis=1))
    regression = Regression.fit(features, encoded.take(trained))
    if regression is None:
        return model
    moments = [regression.moments(cells.shown) for cells in held_out]
    mixing = [
        _best_mixing(regression, index, held_out, moments)
        for index, column in enumerate(model.codec.columns)
        if isinstance(column.coder, NumberColumn)
    ]
    chosen = tuple(own for own in mixing if own is not None)
    final = Regression.fit(features, encoded) if chosen else None
    if final is None:
        return model
    regression = dataclasses.replace(final, mixing=chosen)
    return dataclasses.replace(model, regression=regression)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Evidence:
    """Held-out cells of one column.

    Attributes:
      values, tokens: `[n]` the true numbers and their tokens.
      network: `[n]` their log densities under the network.
      mean, sd: `[n, D]` of the coordinates given the visible cells.
    """

    values: np.ndarray
    tokens: np.ndarray
    network: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


def _best_mixing(
    regression: Regression, index: int, held_out: Sequence[HeldOutCells],
    moments: Sequence[tuple[np.ndarray, np.ndarray]],
) -> Mixing | None:  # fmt: skip
    """The best mixture over a column's coordinates; None if it gains too little."""
    evidence = _evidence(regression, index, held_out, moments)
    if evidence is None:
        return None
    best, most = None, MIN_GAIN
    for feature in regression.features.of_column(index):
        mixing, gain = _fit(regression, index, feature, evidence)
        if gain > most:
            best, most = mixing, gain
    return best


def _evidence(regression, index, held_out, moments) -> _Evidence | None:
    coder, parts = regression.features.codec.columns[index].coder, []
    for cells, (mean, sd) in zip(held_out, moments, strict=True):
        for column, rows, p in cells.parts:
            if column == index:
                values = cells.shown.values[rows, index]
                network = Prediction(coder=coder, p=p).log_density(values)
                parts.append((values, network, mean[rows], sd[rows]))
    if not parts:
        return None
    values, network, mean, sd = map(np.concatenate, zip(*parts))
    return _Evidence(
        values=values, tokens=coder.encode(values), network=network, mean=mean, sd=sd
    )


def _fit(
    regression: Regression, index: int, feature: int, evidence: _Evidence
) -> tuple[Mixing, float]:
    """The mixture of highest posterior density, and the nats that it gains."""
    mean, sd = evidence.mean[:, feature], evidence.sd[:, feature]
    typical = float(np.exp(np.log(sd).mean()))

    def mixing(x: np.ndarray) -> Mixing:
        return Mixing(
            column=index, feature=feature, intercept=float(x[0]), slope=float(x[1]),
            typical=typical, inflation=float(np.exp(x[2])),
        )  # fmt: skip

    def loss(x: np.ndarray) -> float:
        own = mixing(x)
        normal = regression.normal(feature, mean, own.inflation * sd)
        other = normal.log_density(evidence.values, evidence.tokens)
        weight = np.clip(own.weight(sd), 1e-12, 1 - 1e-12)
        mixed = np.logaddexp(
            np.log(weight) + other, np.log1p(-weight) + evidence.network
        )
        prior = (((x - PRIOR_MEAN) / PRIOR_SD) ** 2).sum() / 2
        return float(prior - (mixed - evidence.network).sum())

    found = minimize(loss, START, method="L-BFGS-B", bounds=BOUNDS)
    return mixing(found.x), -float(found.fun)
