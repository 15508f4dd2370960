"""Gaussian regression of each number on all other cells of a row.

A network predicts a number to the width of a bin. Where a column is nearly a function
of others (a total, an area, a ratio), a regression of exact values predicts it far
better. A column whose held-out cells confirm that is predicted by a mixture of both.
"""

import dataclasses
from dataclasses import dataclass, fields

import numpy as np
from scipy.special import expit

from ambient_jax.tabular.columns.codec import Encoded, TableCodec
from ambient_jax.tabular.columns.normal import Normal
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.linear.features import Features
from ambient_jax.tabular.linear.gaussian import MIN_VARIANCE, Gaussian, condition_on

MAX_ROWS = 4000
"""Maximum number of rows of the fit: more would change little."""

MAX_COST = 2.5e8
"""Maximum number of rows times the third power of the number of coordinates."""

ROWS_PER_FEATURE = 3
"""With fewer rows per coordinate there is no regression."""


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """How much the distribution of a column is that of its regression.

    The weight of the regression is `expit(intercept + slope * log(s / typical))` with
    its standard deviation s, so that it can be high in the rows alone in which the
    cells that determine the column are visible.

    Attributes:
      column: index of the column in the codec.
      feature: position of the coordinate that is predicted.
      intercept, slope: of the weight.
      typical: a typical value of s.
      inflation: factor by which s is too small.
    """

    column: int
    feature: int
    intercept: float
    slope: float
    typical: float
    inflation: float

    def weight(self, sd: np.ndarray) -> np.ndarray:
        """Weights `[n]` of the regression, given its standard deviations."""
        return expit(self.intercept + self.slope * np.log(sd / self.typical))


@dataclass(frozen=True, kw_only=True)
class Regression:
    """A Gaussian of all cells, and the columns that are predicted by it.

    Attributes:
      features: coordinates of the cells.
      gaussian: their distribution.
      mixing: one entry per column that has a mixture, in the order of the codec.
    """

    features: Features
    gaussian: Gaussian
    mixing: tuple[Mixing, ...] = ()

    @classmethod
    def fit(cls, features: Features, encoded: Encoded) -> "Regression | None":
        """Fits the Gaussian to rows; None if there are too few for it."""
        size = len(features.features)
        rows = min(len(encoded.tokens), MAX_ROWS, int(MAX_COST / max(1, size) ** 3))
        if size < 2 or rows < ROWS_PER_FEATURE * size:
            return None
        chosen = np.linspace(0, len(encoded.tokens) - 1, rows).astype(int)
        x = features.of(encoded.take(chosen))
        return cls(features=features, gaussian=Gaussian.fit(x))

    @property
    def columns(self) -> list[int]:
        """Indices of the columns that have a mixture."""
        return [mixing.column for mixing in self.mixing]

    def moments(self, encoded: Encoded) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sd `[n, D]` of the coordinates given the visible cells."""
        x = self.features.of(encoded)
        mean, sd = np.zeros_like(x), np.zeros_like(x)
        for part, own, covariance in self.gaussian.given(x):
            mean[part], sd[part] = own, _sd(covariance)
        return mean, sd

    def normal(self, feature: int, mean: np.ndarray, sd: np.ndarray) -> Normal:
        """Returns the distribution of the numbers whose coordinate has these moments.

        Args:
          feature: position of the coordinate.
          mean, sd: `[n]`.
        """
        own = self.features.features[feature]
        coder = self.features.codec.columns[own.column].coder
        assert isinstance(coder, NumberColumn)
        return Normal(
            coder=coder, location=own.centre + own.scale * mean, scale=own.scale * sd,
            logarithmic=own.logarithmic,
        )  # fmt: skip

    def mixture(
        self, mixing: Mixing, mean: np.ndarray, sd: np.ndarray
    ) -> tuple[Normal, np.ndarray]:
        """Returns the regression's component of n cells, and its weights `[n]`.

        Args:
          mixing: of the column.
          mean, sd: `[n, D]` as `moments` returns them.
        """
        own = sd[:, mixing.feature]
        normal = self.normal(
            mixing.feature, mean[:, mixing.feature], mixing.inflation * own
        )
        return normal, mixing.weight(own)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns arrays for a file, from which `from_arrays` builds it again.

        The coordinates are not among them: they are those of the codec.
        """
        return {
            "mean": self.gaussian.mean, "covariance": self.gaussian.covariance,
            "mixing": np.array([list(vars(own).values()) for own in self.mixing]),
        }  # fmt: skip

    @classmethod
    def from_arrays(
        cls, codec: TableCodec, arrays: dict[str, np.ndarray]
    ) -> "Regression":
        """The inverse of `to_arrays`."""
        gaussian = Gaussian(mean=arrays["mean"], covariance=arrays["covariance"])
        names = [own.name for own in fields(Mixing)]
        rows = [dict(zip(names, row, strict=True)) for row in arrays["mixing"].tolist()]
        whole = ("column", "feature")
        mixing = tuple(Mixing(**row | {k: int(row[k]) for k in whole}) for row in rows)
        return cls(features=Features.of_codec(codec), gaussian=gaussian, mixing=mixing)

    def redraw(
        self, encoded: Encoded, missing: np.ndarray, choice: np.ndarray,
        level: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        """Returns completed numbers `[n, L]`, some of which the regression redraws.

        The columns with a mixture follow one another. In each the regression redraws
        the missing cells in which `choice` is below its weight, given all cells of the
        row that are observed or final.

        Args:
          encoded: completed rows, as the network draws them.
          missing: `[n, L]` bool, the cells that were drawn.
          choice, level: `[n, L]` uniform in [0, 1): of the component, and the level of
            the regression's quantile.
        """
        columns = self.columns
        hidden = np.zeros_like(missing)
        hidden[:, columns] = missing[:, columns]
        tokens = np.where(hidden, self.features.codec.num_values, encoded.tokens)
        values = encoded.values.copy()
        x = self.features.of(dataclasses.replace(encoded, tokens=tokens))
        for part, mean, covariance in self.gaussian.given(x):
            for mixing in self.mixing:
                index = mixing.column
                normal, weight = self.mixture(mixing, mean, _sd(covariance))
                redrawn = hidden[part, index] & (choice[part, index] < weight)
                drawn = _attained(normal.coder, normal.quantile(level[part, index]))
                values[part, index] = np.where(redrawn, drawn, values[part, index])
                known = np.where(hidden[part, index], values[part, index], np.nan)
                for feature in self.features.of_column(index):
                    own = self.features.features[feature]
                    coordinate = own.of_values(self.features.codec, known)
                    condition_on(mean, covariance, feature, coordinate)
        return values


def _sd(covariance: np.ndarray) -> np.ndarray:
    """Standard deviations `[n, D]` of `[n, D, D]`, kept above 0."""
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    return np.sqrt(np.maximum(variance, MIN_VARIANCE))


def _attained(coder: NumberColumn, values: np.ndarray) -> np.ndarray:
    """The values `[n]` that a column can have which are nearest to numbers."""
    k = coder.encode(values)
    return np.where(coder.atom[k], coder.bounds(k)[0], coder.round(values))
