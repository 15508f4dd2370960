"""Rows kept out of training, and what intervals learn from them."""

import dataclasses

import numpy as np

from ambient_jax import keys
from ambient_jax.data.missingness import MCAR, mask_tokens
from ambient_jax.tabular.calibration import Calibration, level_needed
from ambient_jax.tabular.columns.codec import Encoded
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.fitting.network import out_of_fold
from ambient_jax.tabular.model import TableModel
from ambient_jax.tabular.predictive import own_probabilities

MOST_ROWS = 1000
"""That one network leaves out."""

FEWEST_ROWS = 30
"""Smaller tables hold nothing out: there is nothing to spare."""

WANTED_ROWS = 300
"""Rows that several networks are judged by. Where each could leave out its own, more
leave out the same ones, so that their mean is judged, which is nearer to the mean of
all that answers later; and no more rows are kept from any than that takes."""

REPEATS = 9
"""How often other cells of the held-out rows are hidden for calibration."""

RATE = 0.1
"""Share of them each time: few, so that the rest tell as much as a query's do."""


def choose_excluded_rows(
    tokens: np.ndarray, mask: int, fraction: float, members: int, seed: int
) -> np.ndarray:
    """`[N, K]` bool: which of K `members` do not learn from which rows.

    Each leaves out equally many rows, at most `fraction` of all, and none that is all
    missing. So many leave out the same row that `WANTED_ROWS` remain, but one at least
    learns from it.
    """
    excluded_rows = np.zeros((len(tokens), members), bool)
    fraction = min(fraction, 1 / members)
    count = round(fraction * len(tokens))
    if len(tokens) < FEWEST_ROWS or count < 1:
        return excluded_rows
    usable = np.flatnonzero((tokens != mask).any(axis=1))
    rng = keys.host_rng(seed, keys.Purpose.EVALUATION, 1)
    together = max(1, min(members - 1, members * count // WANTED_ROWS))
    most = MOST_ROWS if members == 1 else WANTED_ROWS
    chosen = rng.permutation(usable)[: min(most, members * count // together)]
    turn = (np.arange(len(chosen))[:, None] - np.arange(members)) % members
    excluded_rows[chosen] = turn < together
    return excluded_rows


def calibrate(
    model: TableModel, encoded: Encoded, excluded_rows: np.ndarray, seed: int
) -> Calibration:
    """Conformal scores of hidden cells of the rows that were `excluded_rows [N, K]`.

    Each is scored by the networks that did not learn from its row. The mean over the
    whole ensemble is better than theirs, so that its intervals are a little too wide.
    """
    codec, rows = model.codec, np.flatnonzero(excluded_rows.any(axis=1))
    judge, context = out_of_fold(
        model.denoiser, encoded.context[rows], excluded_rows[rows]
    )
    if judge is not model.denoiser:
        model = dataclasses.replace(model, denoiser=judge)
    scores: list[list[np.ndarray]] = [[] for _ in codec.columns]
    for repeat in range(REPEATS if len(rows) else 0):
        rng = keys.host_rng(seed, keys.Purpose.EVALUATION, 2, repeat)
        shown = Encoded(
            tokens=mask_tokens(
                MCAR(rate=RATE), encoded.tokens[rows], codec.num_values, rng
            ),
            context=context, values=encoded.values[rows],
        )  # fmt: skip
        for chosen, p in model.probabilities(shown, np.arange(len(rows))):
            tails = model.tails(shown, chosen)
            for i, column in enumerate(codec.columns):
                if not isinstance(column.coder, NumberColumn):
                    continue
                truth = shown.values[chosen, i]
                hidden = np.isfinite(truth)
                hidden &= shown.tokens[chosen, i] == codec.num_values
                least, ends = tails.least[hidden, i], tails.ends[hidden, i]
                own = own_probabilities(p[hidden, i], column, least)
                scores[i].append(level_needed(column.coder, own, truth[hidden], ends))
    empty = np.zeros(0)
    return Calibration.fit([np.concatenate([empty, *parts]) for parts in scores])
