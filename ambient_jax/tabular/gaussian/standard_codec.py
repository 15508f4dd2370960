"""StandardCodec: the columns of a DataFrame as standardised numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.frames.kinds import from_numbers


def num_bits(count: int) -> int:
    """Returns how many binary digits tell `count` categories apart, at least 1."""
    return max(1, int(count - 1).bit_length())


def codes(count: int) -> np.ndarray:
    """Returns the binary codes `[count, bits]` of the categories 0..count-1."""
    digits = np.arange(num_bits(count))[::-1]
    return (np.arange(count)[:, None] >> digits & 1).astype(np.float64)


def coordinates_of(table: TableCodec) -> tuple[slice, ...]:
    """Returns the slice of the D coordinates that each column of a table has."""
    sizes = [
        1 if column.numeric else num_bits(column.coder.size) for column in table.columns
    ]
    stops = np.cumsum(sizes).tolist()
    return tuple(slice(stop - size, stop) for size, stop in zip(sizes, stops))


@dataclass(frozen=True, kw_only=True)
class StandardCodec:
    """Maps the rows of a frame to D numbers `(x - mean) / (2 sd)` and back.

    A numeric column has one coordinate. A category has the binary digits of its number,
    which are standardised like any other coordinate; it is decoded to the category with
    the nearest code, so that none comes out that does not exist.

    Attributes:
      table: kinds and vocabularies of the columns.
      where: for each column of `table` its slice of the D coordinates.
      mean, sd: `[D]` of the observed cells of `fit`; a standard deviation of 0 is 1.
      low, high: `[D]` range of the observed cells, to which numbers are clipped.

    References:
      Zhang et al. 2025 (arXiv 2405.20690): scaling and codes. Decoding there rounds
      each digit, which may give a code that no category has.
    """

    table: TableCodec
    where: tuple[slice, ...]
    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, table: TableCodec, frame: pd.DataFrame) -> "StandardCodec":
        """Fits means and standard deviations to the observed cells of a frame.

        Args:
          table: fitted on the same frame, with at least one column.
          frame: N rows.
        """
        x = _coordinates(table, coordinates_of(table), frame)
        # In units of the largest value, squares of huge numbers do not overflow.
        unit = np.maximum(np.nanmax(np.abs(x), axis=0), np.finfo(np.float64).tiny)
        mean, sd = np.nanmean(x / unit, axis=0) * unit, np.nanstd(x / unit, axis=0)
        return cls.of(
            table, mean=mean, sd=np.where(sd > 1e-12, sd, 1.0) * unit,
            low=np.nanmin(x, axis=0), high=np.nanmax(x, axis=0),
        )  # fmt: skip

    @classmethod
    def of(cls, table: TableCodec, **scales: np.ndarray) -> "StandardCodec":
        """Returns the codec of a table with the `[D]` arrays of the attributes.

        Raises:
          ValueError: an array has another shape, or is not finite.
        """
        where = coordinates_of(table)
        for name, array in scales.items():
            if array.shape != (where[-1].stop,) or not np.isfinite(array).all():
                raise ValueError(f"{name} must be {where[-1].stop} finite numbers")
        return cls(table=table, where=where, **scales)

    @property
    def length(self) -> int:
        """D, the number of coordinates."""
        return len(self.mean)

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """Returns `[N, D]` float32, NaN where a cell is missing.

        So is a category that fit has not seen.

        Raises:
          ValueError: an infinity, or text in a numeric column; names the column.
        """
        x = _coordinates(self.table, self.where, frame)
        scaled = (x - self.mean) / (2.0 * self.sd)
        limit = float(np.finfo(np.float32).max)
        return np.clip(scaled, -limit, limit).astype(np.float32)

    def decode(self, index: int, z: np.ndarray, whole: bool) -> np.ndarray:
        """Returns the values `[n]` of a column, of the type that the column holds.

        Args:
          index: of the column in `table.columns`.
          z: `[n, D]` finite coordinates of rows.
          whole: whether numbers are rounded to the decimals of the observed ones.
        """
        column, slot = self.table.columns[index], self.where[index]
        x = self.mean[slot] + 2.0 * self.sd[slot] * z[:, slot].astype(np.float64)
        coder = column.coder
        if not isinstance(coder, NumberColumn):
            distance = ((x[:, None, :] - codes(coder.size)[None]) ** 2).sum(axis=-1)
            return coder.decode(distance.argmin(axis=1))
        values = np.clip(x[:, 0], self.low[slot][0], self.high[slot][0])
        if whole:
            values = coder.round(values)
        return from_numbers(values, column.kind, column.unit)


def _coordinates(
    table: TableCodec, where: tuple[slice, ...], frame: pd.DataFrame
) -> np.ndarray:
    """Returns `[N, D]` float64 coordinates before they are standardised."""
    encoded = table.encode(frame)
    x = np.full((len(frame), where[-1].stop), np.nan)
    for i, (column, slot) in enumerate(zip(table.columns, where)):
        if column.numeric:
            x[:, slot.start] = encoded.values[:, i]
            continue
        own = encoded.tokens[:, i].astype(np.int64)
        known = own < table.num_values
        x[known, slot] = codes(column.coder.size)[own[known]]
    return x
