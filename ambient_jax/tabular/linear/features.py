"""The cells of a row as coordinates in which many relations of columns are linear."""

from dataclasses import dataclass, field

import numpy as np

from ambient_jax.tabular.columns.category import CategoryColumn
from ambient_jax.tabular.columns.codec import Encoded, TableCodec
from ambient_jax.tabular.columns.number import NumberColumn

MAX_FEATURES = 96
"""Maximum number of coordinates; see `Features.of_codec`."""

MAX_COORDINATE = 100.0
"""Standard deviations from the mean beyond which a number counts as not observed."""

MIN_LOG_RANGE = 2.0
"""A positive column has a logarithm if its largest value is so many times its
smallest one; below, the logarithm is nearly linear and says nothing new."""

MAX_CATEGORIES = 5
"""Maximum number of indicators of a category, those of its most frequent values."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One coordinate: of a number, of its logarithm, or the indicator of a category.

    Attributes:
      column: index of its column in the codec.
      token: of an indicator; None for a number.
      logarithmic: whether the logarithm of the number is taken.
      centre, scale: mean and standard deviation of the column's values (or of their
        logarithms), in the unit of `NumberColumn`'s arrays.
    """

    column: int
    token: int | None = None
    logarithmic: bool = False
    centre: float = 0.0
    scale: float = 1.0

    def of(self, codec: TableCodec, encoded: Encoded) -> np.ndarray:
        """Returns the coordinate `[N]` of rows; NaN where the cell is missing."""
        tokens = encoded.tokens[:, self.column]
        shown = tokens != codec.num_values
        if self.token is not None:
            return np.where(shown, tokens == self.token, np.nan)
        return np.where(shown, self.of_values(codec, encoded.values[:, self.column]),
                        np.nan)  # fmt: skip

    def of_values(self, codec: TableCodec, values: np.ndarray) -> np.ndarray:
        """Returns the coordinate `[n]` of numbers in the column's unit.

        It is NaN where a number has no logarithm, and where it is so far from those of
        the fit that a linear relation is no longer to be trusted.
        """
        coder = codec.columns[self.column].coder
        assert isinstance(coder, NumberColumn)
        scaled = coder.scaled(values)
        if self.logarithmic:
            scaled = np.log(np.where(scaled > 0, scaled, np.nan))
        distance = scaled - self.centre
        near = np.abs(distance) <= MAX_COORDINATE * self.scale
        return np.where(near, distance, np.nan) / self.scale


@dataclass(frozen=True, kw_only=True)
class Features:
    """The coordinates of a row; `[N, D]` for N rows.

    Attributes:
      codec: vocabularies of the columns.
      features: the D coordinates.
    """

    codec: TableCodec = field(repr=False)
    features: tuple[Feature, ...]

    @classmethod
    def of_codec(cls, codec: TableCodec) -> "Features":
        """Chooses the coordinates.

        A number has one or, if it is positive, a second one of its logarithm, in which
        products are sums. A category has indicators of its most frequent values. Where
        these are more than `MAX_FEATURES`, the logarithms are left out, and then the
        indicators.
        """
        numbers, logarithms, indicators = [], [], []
        for index, column in enumerate(codec.columns):
            coder = column.coder
            if isinstance(coder, CategoryColumn):
                order = np.argsort(-coder.share, kind="stable")
                # The last one follows from the others.
                for token in order[: min(MAX_CATEGORIES, coder.size - 1)].tolist():
                    indicators.append(Feature(column=index, token=token))
                continue
            numbers.append(
                Feature(column=index, centre=coder.centre, scale=coder.scale)
            )
            if coder.low[0] > 0 and coder.high[-1] > MIN_LOG_RANGE * coder.low[0]:
                logarithms.append(_logarithm(index, coder))
        found = numbers
        if len(numbers) + len(logarithms) + len(indicators) <= MAX_FEATURES:
            found = numbers + logarithms + indicators
        elif len(numbers) + len(indicators) <= MAX_FEATURES:
            found = numbers + indicators
        return cls(codec=codec, features=tuple(found))

    def of(self, encoded: Encoded) -> np.ndarray:
        """Returns the coordinates `[N, D]` of rows; NaN where a cell is missing."""
        found = [feature.of(self.codec, encoded) for feature in self.features]
        return np.stack(found, axis=1) if found else np.zeros((len(encoded.tokens), 0))

    def of_column(self, index: int) -> list[int]:
        """Returns the positions of the coordinates of a column."""
        return [k for k, f in enumerate(self.features) if f.column == index]


def _logarithm(index: int, coder: NumberColumn) -> Feature:
    logarithms = np.log(coder.mean)
    centre = float(coder.share @ logarithms)
    scale = float(np.sqrt(coder.share @ (logarithms - centre) ** 2))
    return Feature(column=index, logarithmic=True, centre=centre, scale=scale or 1.0)
