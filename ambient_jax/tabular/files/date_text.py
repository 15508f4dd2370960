"""Dates that a CSV holds as text: the one format that they have, if they have one."""

import re
from dataclasses import dataclass

import pandas as pd

_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y",
         "%m-%d-%Y")  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f")
FORMATS = (
    *(day + clock for day in _DAYS for clock in _CLOCKS),
    *("%Y-%m-%d" + clock.replace(" ", "T") + zone
      for clock in _CLOCKS[1:] for zone in ("", "Z")),
)  # fmt: skip
"""Formats of `strptime` that are looked for."""

_YEAR, _OTHER = r"\d{4}", r"\d{1,2}"
ROUGHLY = (
    rf"\s*(?:{_YEAR}([-/.]){_OTHER}\1{_OTHER}|{_OTHER}([-/.]){_OTHER}\2{_YEAR})"
    r"(?:[ T]\d{1,2}:\d{2}.*)?\s*"
)
"""What looks like a date, perhaps of another format."""


@dataclass(frozen=True)
class DateText:
    """How the dates of a column are written.

    Attributes:
      form: of `FORMATS`.
      padded: whether days and months below ten begin with a zero.
      digits: of a second's fraction.
    """

    form: str
    padded: bool
    digits: int

    def read(self, cells: pd.Series) -> pd.Series:
        """Dates `[n]` of texts; NaT where missing."""
        return pd.to_datetime(cells, format=self.form)

    def write(self, date: pd.Timestamp) -> str:
        """The text of one date."""
        # Years below 1000 have less than four digits on some systems.
        text = date.strftime(self.form.replace("%Y", f"{date.year:04}"))
        text = re.sub(r"(?<=\.)\d{6}", lambda found: found[0][: self.digits], text)
        if self.padded:
            return text
        day, *clock = re.split("(?=[ T])", text, maxsplit=1)
        return "".join([re.sub(r"\b0(?=\d\b)", "", day), *clock])


def date_texts(cells: pd.Series) -> list[DateText]:
    """The ways in which all observed texts `cells [n]` are dates.

    None, if they are something else; two, if nothing tells the day from the month.
    """
    some = pd.Series(cells.dropna().unique(), dtype=str)
    if not len(some) or not some.str.fullmatch(ROUGHLY).all():
        return []
    days = some.str.replace("[ T].*", "", regex=True)
    padded = not days.str.contains(r"\b\d\b").any()
    fractions = some.str.extract(r":\d{2}\.(\d+)", expand=False)
    digits = int(fractions.str.len().fillna(0).max())
    ways = [DateText(form, padded, digits) for form in FORMATS]
    return [way for way in ways if _reads(way, some)]


def _reads(way: DateText, cells: pd.Series) -> bool:
    try:
        way.read(cells)
    except ValueError:
        return False
    return True
