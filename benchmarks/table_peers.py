"""What people fill tables with today, each behind `fit(frame) -> complete(frame)`."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.preprocessing import OrdinalEncoder

from ambient_jax import DiffPuterImputer, DiffPuterRecipe
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


def no_holes(task: Task, seed: int) -> Complete:
    """The true cells: what `downstream` is where nothing was ever missing."""

    def complete(frame: pd.DataFrame) -> pd.DataFrame:
        for whole in (task.train, task.test):
            same = len(whole) == len(frame)
            if same and (frame.isna() | frame.eq(whole)).all(axis=None):
                return whole
        raise ValueError("neither the training nor the test rows")

    return complete


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


def forest(task: Task, seed: int) -> Complete:
    """MissForest: chained random forests, three rounds; classifiers for categories."""
    kinds = dict.fromkeys(task.numeric, RandomForestRegressor)
    kinds |= dict.fromkeys(task.categorical, RandomForestClassifier)
    start = mean_mode(task, seed)
    coder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    if task.categorical:
        coder.fit(start(task.shown("train"))[task.categorical])
    rounds: list[dict] = [{} for _ in range(3)]

    def fill(frame: pd.DataFrame) -> pd.DataFrame:
        full = start(frame)[[*kinds]]
        if task.categorical:
            full[task.categorical] = coder.transform(full[task.categorical])
        for models in rounds:
            for c, kind in kinds.items():
                others, hole = full.drop(columns=c).to_numpy(float), frame[c].isna()
                if c not in models:  # the training rows, which come first
                    model = kind(50, max_features=0.4, min_samples_leaf=2,
                                 random_state=seed)  # fmt: skip
                    models[c] = model.fit(others[~hole], full.loc[~hole, c])
                if hole.any():
                    full.loc[hole, c] = models[c].predict(others[hole])
        if task.categorical:
            full[task.categorical] = coder.inverse_transform(full[task.categorical])
        return frame.astype(dict.fromkeys(task.numeric, float)).fillna(full)

    fill(task.shown("train"))
    return fill


def both_at_once(complete: Callable[[Task, pd.DataFrame, int], pd.DataFrame]):
    """A peer that fills only what it is fitted on: it gets new rows with the old."""

    def fit(task: Task, seed: int) -> Complete:
        frames = [task.shown("train"), task.shown("test")]
        full = complete(task, pd.concat(frames, ignore_index=True), seed)
        cut = len(frames[0])
        parts = {cut: full[:cut], len(full) - cut: full[cut:]}  # by number of rows
        return lambda frame: parts[len(frame)].set_index(frame.index)

    return fit


def miceforest(task: Task, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Mean and mode of five chained draws of LightGBM."""
    from miceforest import ImputationKernel

    kinds = dict.fromkeys(task.numeric, float)
    kinds |= dict.fromkeys(task.categorical, "category")
    match = dict.fromkeys(task.numeric, "normal") | dict.fromkeys(
        task.categorical, "fast"
    )
    kernel = ImputationKernel(
        frame.astype(kinds),
        num_datasets=5,
        mean_match_strategy=match,
        random_state=seed,
    )
    kernel.mice(5, num_threads=1)
    draws = pd.concat([kernel.complete_data(i) for i in range(5)]).groupby(level=0)
    out = draws[task.numeric].mean()
    for c in task.categorical:
        mode = draws[c].agg(lambda v: v.mode()[0])
        out[c] = mode.astype(frame[c].dtype)
    return out[list(frame)]


def hyperimpute(task: Task, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """HyperImpute at its defaults, on the coded matrix."""
    from hyperimpute.plugins.imputers import Imputers

    coder, imputer = Coder(task), Imputers().get("hyperimpute", random_state=seed)
    full = imputer.fit_transform(pd.DataFrame(coder.matrix(frame)))
    return coder.frame(full.to_numpy(float), frame)


DIFFPUTER = DiffPuterRecipe(iterations=4, num_draws=5)
"""Fewer iterations and draws than the defaults."""


def diffputer(corrected: bool):
    """`DiffPuterImputer` with the sizes of `DIFFPUTER`; numbers are not rounded."""

    def fit(task: Task, seed: int) -> Complete:
        floats = dict.fromkeys(task.numeric, float)
        imputer = DiffPuterImputer(
            corrected=corrected, categorical_features=task.categorical,
            numeric_features=task.numeric, recipe=DIFFPUTER, random_state=seed,
        ).fit(task.shown("train").astype(floats))  # fmt: skip
        return lambda frame: imputer.transform(frame.astype(floats))

    return fit


PEERS = {
    "mean/mode": mean_mode,
    "iterative": sklearn_peer(iterative),
    "knn": sklearn_peer(knn, rows=5000),
    "forest": forest,
}
"""`knn` is fitted on the first rows only, so that it ends in minutes."""

MORE_PEERS = {
    "no_holes": no_holes,
    "diffputer": diffputer(corrected=False),
    "diffputer_corrected": diffputer(corrected=True),
    "miceforest": both_at_once(miceforest),
    "hyperimpute": both_at_once(hyperimpute),
}
"""Run where `--methods` names them; the last two in an environment of their own: they
need older packages (`pip install -e . miceforest hyperimpute 'pandas<2.4'
'lightgbm<4.6' 'scikit-learn<1.7'`)."""
