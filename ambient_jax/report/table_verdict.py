"""The verdict of a completed table in words; see `report.verdict`."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from ambient_jax.report.missingness import Dependence
from ambient_jax.report.verdict import CLEAR, Verdict

LEVEL = 0.9
"""Level of the intervals that the verdict speaks of."""

HALF_MISSING = 0.5
"""Share of missing cells above which a column is named."""

FEW_ROWS = 200
"""Rows below which simpler methods are worth a comparison."""

CHANGED = 0.15
"""Change of a rank correlation that is worth a look."""

NAMED = 4
"""Columns that a sentence names at most."""


def table_verdict(
    *, observed: pd.DataFrame, completed: pd.DataFrame, history: Sequence[float],
    levels: np.ndarray, dependences: Sequence[Dependence],
    pairs: Sequence[tuple[str, str, float, float]],
) -> Verdict:  # fmt: skip
    """Returns the verdict; the arguments are those of `TableReport` and its page."""
    return Verdict(
        learned=_learned(observed, completed, history), calibrated=_calibrated(levels),
        distrust=tuple(_distrust(observed, dependences, pairs)),
    )  # fmt: skip


def _learned(
    observed: pd.DataFrame, completed: pd.DataFrame, history: Sequence[float]
) -> str:
    missing = int(observed.isna().to_numpy().sum())
    left = int(completed.isna().to_numpy().sum())
    parts = [f"{missing - left} of {missing} missing cells were filled."]
    if left:
        parts.append(
            f"{left} stay missing, in columns that nothing could be learned of."
        )
    if len(history) > 1:
        gain = history[0] - min(history)
        parts.append(
            f"Training improved the prediction of held-out cells by {gain:.2f} nats a "
            "cell after its first round."
            if gain > 0 else
            "Training did not improve the prediction of held-out cells after its first "
            "round: the columns tell little of each other, or the rows are few."
        )  # fmt: skip
    return " ".join(parts)


def _calibrated(levels: np.ndarray) -> str:
    if not len(levels):
        return "No number was held out, so that intervals could not be checked."
    covered = float((levels <= LEVEL).mean())
    error = np.sqrt(LEVEL * (1 - LEVEL) / len(levels))
    said = (
        f"{LEVEL:.0%} intervals covered {covered:.0%} of {len(levels)} held-out cells"
    )
    if abs(covered - LEVEL) <= CLEAR * error:
        return f"Yes: {said}."
    way = "too narrow" if covered < LEVEL else "too wide"
    return (
        f"Not by itself: {said}, so that they were {way}. Intervals of "
        "predict_distribution are corrected for that; draws are not."
    )


def _distrust(
    observed: pd.DataFrame, dependences: Sequence[Dependence],
    pairs: Sequence[tuple[str, str, float, float]],
) -> Iterator[str]:  # fmt: skip
    share = observed.isna().mean()
    mostly = [str(name) for name, part in share.items() if part > HALF_MISSING]
    if mostly:
        yield f"More than half is missing, and mostly guessed, in {_listed(mostly)}."
    changed = [f"{a} and {b}" for a, b, before, after in pairs
               if abs(after - before) > CHANGED]  # fmt: skip
    if changed:
        yield f"Imputation changed the correlation of {_listed(changed)}: see below."
    depends = [d.column for d in dependences if d.depends]
    if depends:
        yield (
            f"Missingness depends on other columns in {_listed(depends)}. The model "
            "takes that into account; leaving out incomplete rows would be biased."
        )
    if len(observed) < FEW_ROWS:
        yield (
            f"There are {len(observed)} rows only: compare with a simpler method, such "
            "as IterativeImputer of scikit-learn."
        )
    yield (
        "Nothing here can tell whether values are missing because of their size: try "
        "delta. One value per cell is for reading: analyse several draws."
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {more} more" if more > 0 else shown
