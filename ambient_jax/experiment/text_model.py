"""A trained model of text: writes new rows and completes a text with gaps."""

from dataclasses import dataclass

import numpy as np

from ambient_jax.data.alphabet import MISSING, Alphabet
from ambient_jax.model import Model

SEPARATOR = "\n" + "-" * 40 + "\n"
"""Stands between two samples in a file: a sample may hold line ends of its own."""


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """A trained model and the alphabet of its characters.

    Attributes:
      model: of rows of L tokens.
      alphabet: that of the text it was trained on, with the marker of the gaps.
    """

    model: Model
    alphabet: Alphabet

    def sample(self, num: int, seed: int) -> str:
        """Returns `num` new rows as text, a line of dashes between two of them."""
        rows = self.model.sample(num, seed=seed)
        return SEPARATOR.join(self.alphabet.decode(row) for row in rows) + "\n"

    def complete(self, text: str, num_draws: int, seed: int) -> list[str]:
        """Returns `num_draws` copies of a text with its gaps filled.

        Whatever is no gap comes back as it was, upper case and punctuation included,
        even where the alphabet folds it before the network reads it.

        Raises:
          UserError: the text has a character that the alphabet lacks.
        """
        tokens = self.alphabet.encode(text)
        drawn = complete_rows(self.model, tokens, num_draws, seed)
        return [self._filled(text, row[tokens < 0]) for row in drawn]

    def _filled(self, text: str, values: np.ndarray) -> str:
        """Puts one drawn value into each gap; bytes of one run make characters."""
        parts = text.split(str(self.alphabet.gap))
        out, run = [parts[0]], []
        for part, value in zip(parts[1:], values, strict=True):
            run.append(value)
            if part:
                out += [self.alphabet.decode(np.array(run)), part]
                run = []
        return "".join(out) + self.alphabet.decode(np.array(run, int))


def complete_rows(
    model: Model, tokens: np.ndarray, num_draws: int, seed: int
) -> np.ndarray:
    """Completes a text of any length in windows of L tokens.

    A text shorter than L is padded on its right by missing tokens, which are cut off
    again. The last window of another one overlaps the window before, so that it is
    full; what was drawn there already is given to it. Windows see nothing of each other
    beyond that.

    Args:
      model: of rows of L tokens.
      tokens: `[n]`, -1 where missing.
      num_draws: number of completions D.
      seed: of the draws.

    Returns:
      `[D, n]`; observed tokens as they are.
    """
    length, n = model.denoiser.length, len(tokens)
    padded = np.full(max(n, length), MISSING, np.int64)
    padded[:n] = tokens
    whole = len(padded) // length * length
    windows = padded[:whole].reshape(-1, length)
    drawn = model.impute(windows, num_draws=num_draws, seed=seed)
    drawn = drawn.reshape(num_draws, whole)
    rest = len(padded) - whole
    if rest:
        known = drawn[:, len(padded) - length :]
        ends = np.tile(padded[whole:], (num_draws, 1))
        last = model.impute(np.concatenate([known, ends], axis=1), seed=seed)[0]
        drawn = np.concatenate([drawn, last[:, -rest:]], axis=1)
    return drawn[:, :n]
