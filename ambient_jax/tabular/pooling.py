"""Pools the analyses of several completed data sets by Rubin's rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Pooled estimates; every field is an array of the estimates' shape.

    Attributes:
      estimate: mean over the completed data sets.
      se: standard error; it includes the variance within and between imputations.
      df: degrees of freedom of the t distribution.
      low, high: lower and upper bound of the confidence interval.
      missing_information: fraction of the information about the estimate that is lost
        to missing cells, in [0, 1].
    """

    estimate: np.ndarray
    se: np.ndarray
    df: np.ndarray
    low: np.ndarray
    high: np.ndarray
    missing_information: np.ndarray


def pool(
    results: Sequence[Any],
    *,
    level: float = 0.95,
    df_complete: int | float | None = None,
) -> Pooled:
    """Pools the analyses of m completed data sets by Rubin's rules.

    Args:
      results: m pairs `(estimate, standard error)`, numbers or arrays of one shape, or
        m fitted models with the attributes `params` and `bse` of statsmodels.
      level: confidence level of the interval, in (0, 1).
      df_complete: degrees of freedom that the analysis would have without missing
        cells, for the small-sample correction; None omits the correction.

    Examples:
      Three completed tables, with the same standard error but not the same estimate:

      >>> pooled = pool([(1.0, 0.1), (1.2, 0.1), (1.1, 0.1)])
      >>> round(float(pooled.estimate), 3), round(float(pooled.se), 3)
      (1.1, 0.153)

    Raises:
      ValueError: fewer than two results, results of different shapes, a negative
        standard error, or a level out of range.

    References:
      Rubin 1987, ch. 3; Barnard and Rubin 1999 (Biometrika 86, 948).
    """
    if len(results) < 2:
        raise ValueError(f"pool needs at least two results, got {len(results)}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level}")
    pairs = [_pair(result) for result in results]
    estimates = np.stack([estimate for estimate, _ in pairs])
    errors = np.stack([error for _, error in pairs])
    if (errors < 0).any():
        raise ValueError("a standard error is negative")
    m = len(results)
    within, between = (errors**2).mean(axis=0), estimates.var(axis=0, ddof=1)
    total = within + (1 + 1 / m) * between
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0, (1 + 1 / m) * between / total, 0.0)
        df = np.where(share > 0, (m - 1) / share**2, np.inf)
        if df_complete is not None:
            observed = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - share)
            df = 1 / (1 / df + 1 / observed)
        ratio = share / (1 - share)
        missing_information = np.where(
            share < 1, (ratio + 2 / (df + 3)) / (ratio + 1), 1.0
        )
    estimate, se = estimates.mean(axis=0), np.sqrt(total)
    half_width = stats.t.ppf(0.5 + level / 2, df) * se
    fields = {
        "estimate": estimate, "se": se, "df": df, "low": estimate - half_width,
        "high": estimate + half_width, "missing_information": missing_information,
    }  # fmt: skip
    return Pooled(**{name: np.asarray(value) for name, value in fields.items()})


def _pair(result: Any) -> tuple[np.ndarray, np.ndarray]:
    if hasattr(result, "params") and hasattr(result, "bse"):
        result = (result.params, result.bse)
    estimate, error = (np.asarray(part, np.float64) for part in result)
    if estimate.shape != error.shape:
        raise ValueError(
            f"an estimate of shape {estimate.shape} with standard errors of shape "
            f"{error.shape}"
        )
    return estimate, error
