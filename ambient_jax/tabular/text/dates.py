"""Detects the format of dates that are written as text, and reads and writes it."""

import re
from dataclasses import dataclass

import pandas as pd

_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y",
         "%m-%d-%Y")  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f")
FORMATS = (
    *(day + time for day in _DAYS for time in _TIMES),
    *("%Y-%m-%d" + time.replace(" ", "T") + zone
      for time in _TIMES[1:] for zone in ("", "Z")),
)  # fmt: skip
"""Formats that are recognized, in the notation of `strptime`.

They are written with numbers only, the year in four digits."""

_YEAR, _PART = r"\d{4}", r"\d{1,2}"
DATE_PATTERN = (
    rf"\s*(?:{_YEAR}([-/.]){_PART}\1{_PART}|{_PART}([-/.]){_PART}\2{_YEAR})"
    r"(?:[ T]\d{1,2}:\d{2}.*)?\s*"
)
"""Regular expression of text that looks like a date.

It matches every text of `FORMATS` and also dates that do not exist or have another
format; the user is warned of these."""


@dataclass(frozen=True)
class DateFormat:
    """The way in which the dates of a column are written.

    Attributes:
      pattern: one of `FORMATS`.
      padded: whether days and months below ten begin with a zero.
      fraction_digits: number of decimals of a second that `write` retains.
    """

    pattern: str
    padded: bool
    fraction_digits: int

    def read(self, cells: pd.Series) -> pd.Series:
        """Parses text `[n]` to dates; NaT where it is missing.

        Raises:
          ValueError: a cell does not have this format.
        """
        return pd.to_datetime(cells, format=self.pattern)

    def write(self, date: pd.Timestamp) -> str:
        """Returns the text of a date."""
        # strftime pads years below 1000 to four digits on some systems only.
        text = date.strftime(self.pattern.replace("%Y", f"{date.year:04}"))
        digits = self.fraction_digits
        text = re.sub(r"(?<=\.)\d{6}", lambda found: found[0][:digits], text)
        if self.padded:
            return text
        day, *time = re.split("(?=[ T])", text, maxsplit=1)
        return "".join([re.sub(r"\b0(?=\d\b)", "", day), *time])


def find_date_formats(cells: pd.Series) -> list[DateFormat]:
    """Returns every format that parses all observed texts of a column `[n]`.

    The list is empty if the texts are not dates of one format. It has two entries if
    the day and the month cannot be distinguished, as in 01/02/2024.
    """
    observed = pd.Series(cells.dropna().unique(), dtype=str)
    if not len(observed) or not observed.str.fullmatch(DATE_PATTERN).all():
        return []
    days = observed.str.replace("[ T].*", "", regex=True)
    padded = not days.str.contains(r"\b\d\b").any()
    fractions = observed.str.extract(r":\d{2}\.(\d+)", expand=False)
    digits = int(fractions.str.len().fillna(0).max())
    candidates = [DateFormat(pattern, padded, digits) for pattern in FORMATS]
    return [candidate for candidate in candidates if _parses(candidate, observed)]


def _parses(candidate: DateFormat, cells: pd.Series) -> bool:
    try:
        candidate.read(cells)
    except ValueError:
        return False
    return True
