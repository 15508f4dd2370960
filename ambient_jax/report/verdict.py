"""The verdict of a run in words: what was learned, is it calibrated, what to distrust.

Every sentence follows from the figures of the run by a rule that stands here. What was
not measured is said to be so.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ambient_jax.report.record import Record

CLEAR = 3.0
"""Standard errors beyond which a difference is called one."""

MOSTLY_MISSING = 0.8
"""Share of missing cells above which completions are mostly the model's."""

FEW_ROWS = 100
"""Test rows below which differences between runs mean little."""

DRIFT_SHARE = 0.7
"""A best checkpoint before this share of the steps means that the run got worse."""


DRIFT_RATIO = 1.1
"""Rise of `completion_nll_nats` above its minimum that is called drift."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Sentences for a reader who reads nothing else.

    Attributes:
      learned: what was learned.
      calibrated: whether stated probabilities come true.
      distrust: what to be careful with, the most serious first.
    """

    learned: str
    calibrated: str
    distrust: tuple[str, ...]


def run_verdict(record: Record) -> Verdict:
    """Returns the verdict of a finished run."""
    return Verdict(
        learned=_learned(record.summary), calibrated=_calibrated(record.pictures),
        distrust=tuple(_distrust(record)),
    )  # fmt: skip


def _learned(s: dict[str, Any]) -> str:
    parts = []
    nll, uniform = s.get("test_nll_nats"), _uniform_nats(s["data"])
    if nll is not None and uniform:
        parts.append(
            f"A complete test row costs {nll:.1f} nats, where guessing without a model "
            f"costs {uniform:.1f}."
        )
    accuracy = s.get("test_imputation_accuracy")
    if accuracy is not None:
        parts.append(f"The most probable value of a hidden cell is right in "
                     f"{accuracy:.0%} of the cells.")  # fmt: skip
    rmse = s.get("test_imputation_rmse")
    if rmse is not None and accuracy is None:
        parts.append(f"Hidden cells are off by {rmse:.3g} (RMSE of their mean).")
    fid, floor = s.get("sample_fid"), s.get("data_fid")
    if fid is not None and floor is not None:
        error = math.hypot(s.get("sample_fid_se") or 0.0, s.get("data_fid_se") or 0.0)
        apart = fid - floor > CLEAR * error
        parts.append(
            "New rows can be told from real ones." if apart else
            "New rows could not be told from real ones by the classifier's features."
        )  # fmt: skip
    return " ".join(parts) or (
        "There are no complete test rows, so that nothing was compared with a truth."
    )


def _uniform_nats(data: dict[str, Any]) -> float | None:
    if "num_values" not in data:
        return None
    return math.prod(data["shape"]) * math.log(data["num_values"])


def _calibrated(pictures: dict[str, np.ndarray]) -> str:
    """Compares how sure the posterior means are with how often they are right."""
    names = ("test_observed", "test_mean", "test_truth", "num_values")
    if any(name not in pictures for name in names) or pictures["num_values"] != 2:
        return "Whether probabilities come true was not measured in this run."
    hidden = pictures["test_observed"] == 2
    p, truth = pictures["test_mean"][hidden], pictures["test_truth"][hidden]
    if p.size == 0:
        return "No cell of the test rows was hidden, so that there is nothing to check."
    sure, right = np.maximum(p, 1 - p), (p > 0.5) == (truth == 1)
    error = math.sqrt((sure * (1 - sure)).sum()) / p.size
    gap = sure.mean() - right.mean()
    said = (
        f"In the {hidden.any(axis=tuple(range(1, hidden.ndim))).sum()} test rows shown "
        f"below the model is {sure.mean():.0%} sure of a hidden cell on average, and "
        f"right in {right.mean():.0%}"
    )
    if abs(gap) <= CLEAR * max(error, 1e-9):
        return f"Yes, as far as few rows tell. {said}."
    if gap > 0:
        return f"No, it is surer than it is right. {said}."
    return f"No, it is right more often than it claims. {said}."


def _distrust(record: Record) -> Iterator[str]:
    s = record.summary
    if 1 - s["observed_share"] > MOSTLY_MISSING:
        yield (f"{1 - s['observed_share']:.0%} of the training cells are missing: "
               "completions are mostly the model's.")  # fmt: skip
    yield from _drift(record)
    tests = s["data"].get("test_rows", 0)
    if 0 < tests < FEW_ROWS:
        yield f"There are {tests} test rows only, so that all figures are rough."
    if not tests:
        yield "There are no test rows: nothing says how good completions are."
    yield "It is one run with one seed: standard errors are over rows, not over runs."


def _drift(record: Record) -> Iterator[str]:
    steps = record.curves.get("valid_nll_nats", ([], []))[0]
    step, config = record.summary.get("checkpoint_step"), record.summary["config"]
    best = config.get("eval", {}).get("checkpoint") == "best"
    if best and step and steps and step < DRIFT_SHARE * max(steps):
        yield (f"The best checkpoint is that of step {step} of {max(steps):.0f}: after "
               "it the run got worse on held-out rows.")  # fmt: skip
    own = record.curves.get("completion_nll_nats", ([], []))[1]
    if own and own[-1] > DRIFT_RATIO * min(own):
        yield ("The model finds its own completions less probable than earlier in the "
               "run: EM may be drifting.")  # fmt: skip
