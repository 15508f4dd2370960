"""What people fill tables with today, each behind `fit(frame) -> complete(frame)`."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.table_data import Task

Complete = Callable[[pd.DataFrame], pd.DataFrame]


class Coder:
    """Frames to matrices for scikit-learn: standardised numbers, one-hot categories."""

    def __init__(self, task: Task):
        train = task.shown("train")
        self.numeric, self.categorical = task.numeric, task.categorical
        self.mean = train[self.numeric].mean()
        self.sd = train[self.numeric].std().replace(0, 1)
        self.levels = {c: pd.Index(train[c].dropna().unique())
                       for c in self.categorical}  # fmt: skip

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """`[N, columns]` with NaN in the holes."""
        parts = [((frame[self.numeric] - self.mean) / self.sd).to_numpy(float)]
        for c, levels in self.levels.items():
            code = levels.get_indexer(frame[c])
            hot = np.eye(len(levels))[code]
            parts.append(np.where(code[:, None] < 0, np.nan, hot))
        return np.concatenate(parts, axis=1)

    def frame(self, x: np.ndarray, like: pd.DataFrame) -> pd.DataFrame:
        """`like` with its holes filled from a complete matrix."""
        out, at = like.copy(), len(self.numeric)
        numbers = x[:, :at] * self.sd.to_numpy() + self.mean.to_numpy()
        for i, c in enumerate(self.numeric):
            out[c] = like[c].astype(float).fillna(pd.Series(numbers[:, i], like.index))
        for c, levels in self.levels.items():
            best = levels[x[:, at : at + len(levels)].argmax(axis=1)]
            out[c] = like[c].where(like[c].notna(), pd.Series(best, like.index))
            at += len(levels)
        return out


def sklearn_peer(make: Callable[[], object], rows: int | None = None):
    """A scikit-learn imputer on the coded matrix, fitted on the first `rows` rows."""

    def fit(task: Task, seed: int) -> Complete:
        coder, imputer = Coder(task), make()
        imputer.fit(coder.matrix(task.shown("train"))[:rows])
        return lambda frame: coder.frame(imputer.transform(coder.matrix(frame)), frame)

    return fit


def mean_mode(task: Task, seed: int) -> Complete:
    """The mean of numbers, the most frequent category."""
    train = task.shown("train")
    values = {c: train[c].mean() for c in task.numeric}
    values |= {c: train[c].mode()[0] for c in task.categorical}
    return lambda frame: frame.astype(dict.fromkeys(task.numeric, float)).fillna(values)


def iterative():
    """scikit-learn's default: chained BayesianRidge."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return IterativeImputer(max_iter=10, random_state=0)


def knn():
    """Ten nearest rows."""
    from sklearn.impute import KNNImputer

    return KNNImputer(n_neighbors=10)


def forest():
    """MissForest's recipe in scikit-learn: chained forests."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    trees = ExtraTreesRegressor(
        30, min_samples_leaf=3, max_features=0.5, random_state=0, n_jobs=-1
    )
    return IterativeImputer(trees, max_iter=3, n_nearest_features=20, random_state=0)


PEERS = {
    "mean/mode": mean_mode,
    "iterative": sklearn_peer(iterative),
    "knn": sklearn_peer(knn, rows=5000),
    "forest": sklearn_peer(forest, rows=3000),
}
"""`knn` and `forest` are fitted on the first rows only, so that they end in minutes."""
