"""Five tables and four small ones, their splits and holes.

See `../shared/data/README.md`; the small ones ship inside scikit-learn.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit
from sklearn import datasets

NAMES = ("adult", "california", "default", "letter", "shoppers")
SMALL = ("diabetes", "wine", "iris", "breast_cancer")
CODES = {
    **{name: ["target"] for name in SMALL[1:]},
    "default": ["sex", "education", "marriage", "pay_0", "pay_2", "pay_3", "pay_4",
                "pay_5", "pay_6", "default_payment_next_month"],
    "shoppers": ["OperatingSystems", "Browser", "Region", "TrafficType"],
}  # fmt: skip
"""Columns whose integers are codes of categories."""
TARGETS = {"adult": "income", "california": "ocean_proximity", "letter": "Letter",
           "default": "default_payment_next_month", "shoppers": "Revenue"}  # fmt: skip
"""What the downstream classifier predicts."""
ALWAYS_SEEN = 0.3
"""Share of the columns that MAR never hides and that decide about the others."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One table with holes. `train` and `test` are the truth; `hidden` what was hidden.

    Cells that the file itself lacks are NaN in the truth and judged by nobody.
    """

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    train_hidden: np.ndarray
    test_hidden: np.ndarray

    @property
    def categorical(self) -> list[str]:
        """Names of the columns that are not numbers."""
        codes = CODES.get(self.name, [])
        kinds = self.train.dtypes
        return [c for c in self.train if kinds[c].kind not in "fi" or c in codes]

    @property
    def numeric(self) -> list[str]:
        """Names of the others."""
        categorical = set(self.categorical)
        return [c for c in self.train if c not in categorical]

    def without(self, column: str) -> "Task":
        """The same with one column less."""
        keep = self.train.columns != column
        return Task(
            name=self.name, train=self.train.loc[:, keep], test=self.test.loc[:, keep],
            train_hidden=self.train_hidden[:, keep],
            test_hidden=self.test_hidden[:, keep],
        )  # fmt: skip

    def shown(self, which: str) -> pd.DataFrame:
        """`train` or `test` with the hidden cells gone."""
        frame, hidden = getattr(self, which), getattr(self, f"{which}_hidden")
        return frame.mask(pd.DataFrame(hidden, frame.index, frame.columns))


def folder() -> Path:
    """The CSV files: `$AMBIENT_DATA_DIR/tables`, else `../shared/data/tables`."""
    root = os.environ.get("AMBIENT_DATA_DIR")
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    return (Path(root) if root else shared) / "tables"


def load(name: str, mechanism: str, rate: float, seed: int, rows: int | None) -> Task:
    """Reads, shuffles (after `np.random.seed(seed)`), cuts 70 / 30 and hides."""
    frame = _read(name)
    np.random.seed(seed)
    order = np.random.permutation(len(frame))[:rows]
    frame = frame.iloc[order].reset_index(drop=True)
    rng = np.random.default_rng(seed)
    hidden = MECHANISMS[mechanism](_codes(frame), rate, rng)
    cut = round(0.7 * len(frame))
    return Task(
        name=name, train=frame[:cut], test=frame[cut:].reset_index(drop=True),
        train_hidden=hidden[:cut], test_hidden=hidden[cut:],
    )  # fmt: skip


def _read(name: str) -> pd.DataFrame:
    if name in SMALL:
        return getattr(datasets, f"load_{name}")(as_frame=True).frame
    return pd.read_csv(folder() / f"{name}.csv")


def _codes(frame: pd.DataFrame) -> np.ndarray:
    """The table as standardised numbers, for mechanisms that look at values."""
    columns = [
        frame[c]
        if frame[c].dtype.kind in "fi"
        else pd.Series(pd.factorize(frame[c])[0])
        for c in frame
    ]
    x = np.stack([c.fillna(c.mean()).to_numpy(float) for c in columns], axis=1)
    return (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)


def mcar(x: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Each cell alone."""
    return rng.random(x.shape) < rate


def mar(x: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Logistic in columns that are always seen; `rate` of each of the others.

    The mechanism of Muzellec et al. 2020 (arXiv 2002.03860) and of DiffPuter.
    """
    d = x.shape[1]
    seen = rng.permutation(d)[: max(1, int(ALWAYS_SEEN * d))]
    hidden = np.zeros(x.shape, bool)
    for j in np.setdiff1d(np.arange(d), seen):
        score = x[:, seen] @ rng.normal(size=len(seen))
        score = score / max(score.std(), 1e-9)
        start = brentq(lambda c, s=score: expit(s + c).mean() - rate, -60, 60)
        hidden[:, j] = rng.random(len(x)) < expit(score + start)
    return hidden


def mnar(x: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """As `mar`, and the deciding columns are hidden too, at random."""
    state = rng.bit_generator.state
    hidden = mar(x, rate, rng)
    rng.bit_generator.state = state
    d = x.shape[1]
    seen = rng.permutation(d)[: max(1, int(ALWAYS_SEEN * d))]
    hidden[:, seen] = rng.random((len(x), len(seen))) < rate
    return hidden


MECHANISMS = {"mcar": mcar, "mar": mar, "mnar": mnar}
