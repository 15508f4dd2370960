"""Alphabets: they map the characters of a text to tokens 0..V-1 and back."""

import dataclasses
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ambient_jax.errors import ArgumentError, UserError

MAX_SYMBOLS = 256
"""Largest V of a file's own characters; above it, bytes are the smaller alphabet."""

TEXT8 = " " + string.ascii_lowercase
"""The symbols of text8 (Mahoney, mattmahoney.net/dc/textdata): a space and a..z."""

MISSING = -1
"""A missing character, as in other rows before they become tokens."""

HOLE = "\ud800"
"""Stands for a gap while a text is encoded: half of a surrogate pair, which no text
that was read as UTF-8 contains."""


@dataclass(frozen=True, kw_only=True)
class Alphabet:
    """Characters and their numbers.

    Attributes:
      kind: `text8` folds case, turns all but a..z into spaces and collapses runs of
        spaces (it does not spell digits out, as Mahoney's own script does); `bytes` are
        the 256 bytes of UTF-8; `own` are the characters that `symbols` lists.
      symbols: the characters by their number; empty for `bytes`.
      gap: the character that marks a missing one; None: none is marked.

    Raises:
      ArgumentError: `gap` is not one character.
    """

    kind: str
    symbols: str
    gap: str | None = None

    def __post_init__(self) -> None:
        if self.gap is not None and len(self.gap) != 1:
            reason = f"{{argument}}={self.gap!r}: a gap is marked by one character"
            raise ArgumentError("gap", reason)

    @property
    def num_values(self) -> int:
        """V, the number of symbols; the marker of a gap is none of them."""
        return MAX_SYMBOLS if self.kind == "bytes" else len(self.symbols)

    def marking(self, gap: str) -> "Alphabet":
        """Returns this alphabet with another marker of gaps.

        Raises:
          ArgumentError: `gap` is not one character.
        """
        return dataclasses.replace(self, gap=gap)

    def encode(self, text: str) -> np.ndarray:
        """Returns int16 `[n]`: the numbers of the characters, -1 for each gap.

        For `bytes`, n counts bytes, and a gap is one missing byte. For `text8`, runs
        of spaces collapse between two gaps, and never across one.

        Raises:
          UserError: a character is not in the alphabet; names it and its place.
        """
        if self.gap is not None:
            text = text.replace(self.gap, HOLE)
        if self.kind == "bytes":
            return _bytes(text)
        if self.kind == "text8":
            text = re.sub(f"[^a-z{HOLE}]+", " ", text.lower())
        codes, table = _codes(text), _codes(self.symbols)
        order = np.argsort(table)
        place = np.searchsorted(table, codes, sorter=order)
        numbers = order[np.minimum(place, len(table) - 1)].astype(np.int16)
        holes = codes == ord(HOLE)
        unknown = np.flatnonzero((table[numbers] != codes) & ~holes)
        if len(unknown):
            raise UserError(
                f"character {text[unknown[0]]!r} at place {unknown[0] + 1} is none of "
                f"the {len(table)} of the alphabet; replace it, or train with the "
                "alphabet `bytes`"
            )
        return np.where(holes, np.int16(MISSING), numbers)

    def decode(self, tokens: np.ndarray, missing: str = "") -> str:
        """Returns the text of tokens `[n]`.

        Args:
          tokens: 0..V-1; anything outside (-1, MASK) is missing.
          missing: stands for each missing character.
        """
        known = [0 <= int(token) < self.num_values for token in tokens]
        pieces, run = [], bytearray()
        for token, is_known in zip(tokens, known, strict=True):
            if is_known and self.kind == "bytes":
                run.append(int(token))
                continue
            pieces.append(run.decode(errors="replace"))
            run.clear()
            pieces.append(self.symbols[int(token)] if is_known else missing)
        return "".join(pieces) + run.decode(errors="replace")

    def as_json(self) -> dict[str, Any]:
        """Returns the fields, as `from_json` takes them."""
        return {"kind": self.kind, "symbols": self.symbols, "gap": self.gap}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Alphabet":
        """Returns the alphabet whose fields `as_json` gave."""
        return cls(**{name: fields[name] for name in ("kind", "symbols", "gap")})


def _codes(text: str) -> np.ndarray:
    """The code points of a text, `[n]` uint32."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _bytes(text: str) -> np.ndarray:
    """The bytes of a text as int16, and -1 for each `HOLE`, which takes three bytes."""
    found = np.frombuffer(text.encode(errors="surrogatepass"), np.uint8)
    first = HOLE.encode(errors="surrogatepass")[:2]  # which begin nothing else
    holes = np.flatnonzero((found[:-1] == first[0]) & (found[1:] == first[1]))
    numbers = found.astype(np.int16)
    numbers[holes] = MISSING
    return np.delete(numbers, np.concatenate([holes + 1, holes + 2]))


def alphabet_of(text: str, kind: str, gap: str | None = None) -> Alphabet:
    """Returns the alphabet of a text.

    Args:
      text: from which `own` takes its characters.
      kind: `text8`, `bytes` or `own`.
      gap: see `Alphabet`.

    Raises:
      ArgumentError: the kind is unknown, the gap is not one character, or the text has
        more than `MAX_SYMBOLS` characters of its own.
    """
    if kind not in ALPHABETS:
        options = ", ".join(ALPHABETS)
        reason = f"{{argument}}={kind!r} is unknown. One of: {options}"
        raise ArgumentError("alphabet", reason)
    symbols = ALPHABETS[kind](text if gap is None else text.replace(gap, ""))
    if len(symbols) > MAX_SYMBOLS:
        raise ArgumentError(
            "alphabet",
            f"the text has {len(symbols)} different characters, of which "
            f"{MAX_SYMBOLS} at most are supported; use {{argument}}=bytes, or "
            "{argument}=text8 for English",
        )
    return Alphabet(kind=kind, symbols=symbols, gap=gap)


ALPHABETS: dict[str, Callable[[str], str]] = {
    "text8": lambda text: TEXT8,
    "bytes": lambda text: "",
    "own": lambda text: "".join(sorted(set(text))),
}
"""The symbols of a text's alphabet by the name that configs use."""
