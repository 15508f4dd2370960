"""Sizes of a run on a user's own `.npz`: some 30 minutes at most on two idle cores.

Costs are counted in forward passes of the network times rows. A row of a train step
costs three to five of them, so that 20 rounds of 50 steps of 128 rows cost half a
million; the sizes below keep the E-steps to half of that and the evaluation to 15 % of
the whole, however many rows and pixels there are. Where a run takes longer than that on
a machine, its first lines say so, and which field to change.
"""

from ml_collections import ConfigDict

COARSEST = 8
"""Largest side of the coarsest level of the U-Net, where there is attention."""

NARROWEST = 8
"""Channels of the finest level at least."""

MANY_CELLS = 256
"""Rows with more cells get half the steps and fewer rows in a call."""

DRAWN_AT_FIRST, DRAWN_LATER = 6000, 2000
"""Rows that the first E-step and a later one draw at most."""

HELD_OUT = 500
"""Validation and test rows at most, each of which is scored by the final figures."""


def set_sizes(config: ConfigDict, shapes: dict[str, tuple[int, ...]]) -> None:
    """Sets the sizes of a run.

    Args:
      config: already of the sizes of a small run.
      shapes: of the arrays of the file, by name; without an `x` of one or more rows
        nothing is known, and the sizes are those of small rows.
    """
    rows, *shape = shapes.get("x", (0,))
    cells = 1
    for side in shape:
        cells *= side
    many = cells > MANY_CELLS
    if len(shape) == 2:
        config.network.widths = widths(max(shape))
    config.network.width = 64  # of a transformer
    config.train.update(
        steps_per_round=50 if many else 100, estep_batch_size=32 if many else 256
    )
    reveals, at_first = (6, 24) if many else (8, 32)
    config.em.update(reveals=reveals, initial_reveals=at_first)
    config.prior.members = 2
    if many:
        config.prior.steps = 400
    config.em.row_share = share(DRAWN_LATER, rows)
    config.em.initial_row_share = share(DRAWN_AT_FIRST, rows)
    config.eval.update(
        every_rounds=5, round_rows=100, num_draws=1, num_exact=8 if many else 32,
        num_samples=100 if many else 400, num_interval_rows=0 if many else 20,
    )  # fmt: skip
    if rows > 10 * HELD_OUT:  # otherwise 10 % of the rows, and all test rows
        config.data.num_valid = HELD_OUT
    test_rows = shapes.get("x_test", (rows // 5,))[0]
    if test_rows > HELD_OUT:
        config.data.num_test = HELD_OUT


def widths(side: int) -> tuple[int, ...]:
    """Channels of each level for pictures of a side, finest first.

    Each level has a quarter of the pixels and twice the channels of the one before, and
    costs about the same.
    """
    found, coarsest = (32, 64), -(-side // 2)
    while coarsest > COARSEST:
        found, coarsest = (max(found[0] // 2, NARROWEST), *found), -(-coarsest // 2)
    return found


def share(limit: int, rows: int) -> float:
    """The share of the rows that is no more than `limit` of them, in (0, 1]."""
    return min(1.0, round(limit / max(rows, 1), 3) or 0.001)
