"""Figures of an imputation against the truth. Numbers are in observed-training sds."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ambient_jax.evaluation.coverage import covered
from benchmarks.table_data import Task


def scales(task: Task) -> tuple[pd.Series, pd.Series]:
    """Mean and standard deviation of the observed training cells."""
    train = task.shown("train")[task.numeric]
    return train.mean(), train.std().replace(0, 1)


def judged(task: Task, which: str) -> dict[str, np.ndarray]:
    """Per column: hidden cells whose truth is known."""
    truth, hidden = getattr(task, which), getattr(task, f"{which}_hidden")
    known = truth.notna().to_numpy() & hidden
    return {c: known[:, i] for i, c in enumerate(truth.columns)}


def errors(task: Task, which: str, filled: pd.DataFrame) -> np.ndarray:
    """Standardised errors of all judged numeric cells, pooled."""
    truth, where, (_, sd) = getattr(task, which), judged(task, which), scales(task)
    parts = [
        (filled[c].to_numpy(float) - truth[c].to_numpy(float))[where[c]] / sd[c]
        for c in task.numeric
    ]
    return np.concatenate(parts)


def accuracy(task: Task, which: str, filled: pd.DataFrame) -> float:
    """Share of judged categorical cells that are right, pooled."""
    truth, where = getattr(task, which), judged(task, which)
    right = [
        (filled[c].to_numpy(object) == truth[c].to_numpy(object))[where[c]]
        for c in task.categorical
    ]
    return float(np.concatenate(right).mean()) if right else float("nan")


def coverage(task: Task, which: str, draws: Sequence[pd.DataFrame]) -> float:
    """Share of judged numeric cells inside 90 % intervals of `NUM_DRAWS` draws."""
    truth, where = getattr(task, which), judged(task, which)
    rng = np.random.default_rng(0)
    inside = [
        covered(
            np.stack([d[c].to_numpy(float)[where[c]] for d in draws]),
            truth[c].to_numpy(float)[where[c]], rng,
        )
        for c in task.numeric
    ]  # fmt: skip
    return float(np.concatenate(inside).mean())


def density_error(task: Task, which: str, filled: pd.DataFrame) -> float:
    """Mean over columns of 1-D distances of imputed to true cells, in [0, 1].

    Kolmogorov-Smirnov for numbers, total variation for categories.
    """
    truth, where, found = getattr(task, which), judged(task, which), []
    for c in truth.columns:
        if not where[c].any():
            continue
        a, b = filled[c][where[c]], truth[c][where[c]]
        if c in task.numeric:
            grid = np.unique(np.r_[a.to_numpy(float), b.to_numpy(float)])
            cdf = [np.searchsorted(np.sort(v.to_numpy(float)), grid, "right") / len(v)
                   for v in (a, b)]  # fmt: skip
            found.append(np.abs(cdf[0] - cdf[1]).max())
        else:
            p, q = (v.astype(object).value_counts(normalize=True) for v in (a, b))
            found.append(p.subtract(q, fill_value=0).abs().sum() / 2)
    return float(np.mean(found))


def energy_distance(
    task: Task, which: str, filled: pd.DataFrame, rows: int = 1000
) -> float:
    """`2 E|X-Y| - E|X-X'| - E|Y-Y'|` of completed against true rows (a subset)."""
    truth, (mean, sd) = getattr(task, which), scales(task)
    complete = truth.notna().all(axis=1).to_numpy()
    x, y = (
        _vectors(task, f[complete][:rows], truth, mean, sd) for f in (filled, truth)
    )

    def spread(a, b):
        squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
        return np.sqrt(np.maximum(squared, 0)).mean()

    return float(2 * spread(x, y) - spread(x, x) - spread(y, y))


def _vectors(task, frame, truth, mean, sd) -> np.ndarray:
    parts = [((frame[task.numeric] - mean) / sd).to_numpy(float)]
    for c in task.categorical:
        levels = pd.Index(truth[c].dropna().unique())
        parts.append(np.eye(len(levels))[levels.get_indexer(frame[c])] / np.sqrt(2))
    return np.concatenate(parts, axis=1)


def interval_figures(task: Task, intervals: pd.DataFrame) -> dict[str, float]:
    """Coverage and width (sds) of the 90 % intervals of test cells; log-loss."""
    truth, where, (_, sd) = task.test, judged(task, "test"), scales(task)
    inside, width, nats = [], [], []
    for c, lines in intervals.groupby("column", sort=False):
        rows = lines["row"].to_numpy(int)
        keep = where[c][rows]
        rows, lines = rows[keep], lines[keep]
        y = truth[c].to_numpy()[rows]
        if c in task.numeric:
            low, high = lines["q0.05"].to_numpy(float), lines["q0.95"].to_numpy(float)
            inside.append((low <= y) & (y <= high))
            width.append((high - low) / sd[c])
        else:
            p = [probs.get(v, 0.0) for probs, v in zip(lines["probabilities"], y)]
            nats.append(-np.log(np.maximum(p, 1e-6)))
    figures = {"coverage": float(np.concatenate(inside).mean()),
               "width": float(np.concatenate(width).mean())}  # fmt: skip
    if nats:
        figures["log_loss"] = float(np.concatenate(nats).mean())
    return figures


def downstream(
    task: Task, train: pd.DataFrame, tests: Sequence[pd.DataFrame], target: str
) -> list[float]:
    """Accuracy of boosted trees trained on `train`, for each form of the test rows.

    The targets are the true ones. The penalty is there for kinds of a few rows
    (california's islands), on which Newton's steps diverge without one.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    def features(frame):
        x = frame.drop(columns=target, errors="ignore").copy()
        for c in x:
            if c in task.categorical:
                levels = pd.Index(task.train[c].dropna().unique())
                x[c] = levels.get_indexer(x[c]).astype(float)
        return x.to_numpy(float)

    known = task.train[target].notna().to_numpy()
    model = HistGradientBoostingClassifier(
        max_iter=60, l2_regularization=1.0, random_state=0
    )
    model.fit(features(train)[known], task.train[target][known].astype(str))
    truth = task.test[target]
    seen = truth.notna().to_numpy()
    labels = truth[seen].astype(str)
    return [float(model.score(features(test)[seen], labels)) for test in tests]
