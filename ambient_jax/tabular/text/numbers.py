"""Detects how the numbers of a column are written, and reads and writes them."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

_SIGN = r"(?:[$€£¥₹%]|USD|EUR|GBP|CHF|kr)"
_GROUPS = {".": ",", ",": "."}
_SPACES = " '’\u00a0\u202f"

DECIMAL_SIGNS = (".", ",")
"""The signs that may separate the decimals of a number."""

INTEGER_LIMITS = np.iinfo(np.int64)


def _pattern(decimal: str) -> re.Pattern:
    """The regular expression of a number; groups of three digits do not begin with 0.

    Thousands may be separated by the other one of `DECIMAL_SIGNS`, a space or an
    apostrophe.
    """
    point, group = re.escape(decimal), re.escape(_GROUPS[decimal] + _SPACES)
    return re.compile(
        rf"(?P<minus>[-+−]?)(?P<prefix>(?:{_SIGN}\s*)?)(?P<inner_minus>[-+−]?)"
        rf"(?=[.,\d])(?P<whole>[1-9]\d{{0,2}}(?:(?P<group>[{group}])\d{{3}})"
        rf"(?:(?P=group)\d{{3}})*|\d*)"
        rf"(?P<fraction>(?:{point}\d*)?)(?P<exponent>(?:[eE][-+]?\d+)?)"
        rf"(?P<suffix>(?:\s*{_SIGN})?)"
    )


_PATTERNS = {decimal: _pattern(decimal) for decimal in DECIMAL_SIGNS}
_INFINITE = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class NumberFormat:
    """The way in which the numbers of a column are written.

    Attributes:
      decimal: what separates the decimals.
      thousands: what separates groups of three digits; "" for nothing.
      prefix, suffix: what stands before and after the digits, such as `$` or ` %`.
      sign_first: whether the minus precedes the prefix, as in `-$5`.
      decimals: number of decimals that `write` pads to; 0 where they vary.
    """

    decimal: str = "."
    thousands: str = ""
    prefix: str = ""
    suffix: str = ""
    sign_first: bool = True
    decimals: int = 0

    @property
    def signs(self) -> str:
        """All that is written beside digits, the minus and the decimal sign."""
        return self.prefix + self.thousands + self.suffix

    @property
    def plain(self) -> bool:
        """Whether numbers are plain digits, perhaps with a decimal point."""
        return self.decimal == "." and not self.signs

    def read(self, texts: Iterable[str]) -> pd.Series:
        """Parses n texts to `Int64` if all are whole numbers, else to `Float64`.

        A percentage is read in percent: `10%` is 10.

        Raises:
          ValueError: a text does not have this format.
          OverflowError: a whole number is too large for 64 bits.
        """
        plain = [_plain_text(text, self.decimal) for text in texts]
        if all(re.fullmatch(r"[-+]?\d+", text) for text in plain):
            whole = [int(text) for text in plain]
            if any(not INTEGER_LIMITS.min <= v <= INTEGER_LIMITS.max for v in whole):
                raise OverflowError("a whole number is too large for 64 bits")
            return pd.Series(whole, dtype="Int64")
        return pd.Series([float(text) for text in plain], dtype="Float64")

    def write(self, value: int | float | np.number) -> str:
        """Returns the text of a number in this format.

        Decimals are padded to `decimals` and never cut.
        """
        value = np.asarray(value).item()  # the repr of NumPy's numbers names their type
        if self.plain and "e" in repr(value):
            return repr(value)
        text = format(Decimal(repr(abs(value))), "f")
        whole, _, fraction = text.partition(".")
        if not fraction.strip("0") and self.decimals == 0 and not self.plain:
            fraction = ""
        fraction = fraction.ljust(self.decimals, "0")
        if self.thousands:
            whole = f"{int(whole):,}".replace(",", self.thousands)
        digits = whole + (self.decimal + fraction if fraction else "")
        minus = "-" if value < 0 else ""
        outer, inner = (minus, "") if self.sign_first else ("", minus)
        return outer + self.prefix + inner + digits + self.suffix

    def __str__(self) -> str:
        """An example, such as `-$1,234.50`, for messages."""
        return self.write(-1234.5)


def _plain_text(text: str, decimal: str) -> str:
    """The digits of a number as Python reads them.

    Raises:
      ValueError: it is not a number with this decimal sign.
    """
    if _INFINITE.fullmatch(text):
        return text
    found = _PATTERNS[decimal].fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a number with the decimal sign {decimal!r}")
    whole = found["whole"]
    if found["group"]:
        whole = whole.replace(found["group"], "")
    minus = (found["minus"] or found["inner_minus"]).replace("−", "-")
    return minus + whole + found["fraction"].replace(decimal, ".") + found["exponent"]


def are_numbers(texts: Iterable[str], decimal: str) -> np.ndarray:
    """Returns `[n]` bool: which texts, without blanks around, are numbers."""
    pattern = _PATTERNS[decimal]
    return np.array(
        [bool(pattern.fullmatch(t) or _INFINITE.fullmatch(t)) and t not in ".,"
         for t in texts], bool,
    )  # fmt: skip


def have_leading_zeros(texts: Iterable[str]) -> np.ndarray:
    """Returns `[n]` bool: which texts are digits that begin with a needless zero."""
    return np.array([bool(re.fullmatch(r"0\d+", text)) for text in texts], bool)


def find_number_format(texts: Iterable[str], decimal: str) -> NumberFormat | None:
    """Returns the format of n numbers; None if they have none in common.

    Numbers with and without a percent or currency sign, or with two different ones,
    have none, because they may be of different units.

    Args:
      texts: numbers, without blanks around, as `are_numbers` finds them.
      decimal: the decimal sign.
    """
    found = [_PATTERNS[decimal].fullmatch(text) for text in texts]
    layouts = Counter(
        (*m.group("prefix", "inner_minus", "group", "suffix"), len(m["fraction"]))
        for m in found if m
    )  # fmt: skip
    if not layouts:  # infinities
        return NumberFormat(decimal=decimal)
    prefixes, minuses, groups, suffixes, lengths = zip(*layouts, strict=True)
    groups = {group for group in groups if group}
    signs = [{text.strip() for text in texts} for texts in (prefixes, suffixes)]
    if len(groups) > 1 or max(map(len, signs)) > 1:
        return None
    prefix, _, _, suffix, _ = layouts.most_common(1)[0][0]
    return NumberFormat(
        decimal=decimal, thousands="".join(groups), prefix=prefix, suffix=suffix,
        sign_first=not any(minuses),
        decimals=max(0, lengths[0] - 1) if len(set(lengths)) == 1 else 0,
    )  # fmt: skip
