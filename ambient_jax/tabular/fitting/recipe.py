"""How a table is learned: network, optimizer, length."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from ambient_jax.networks.column_network import Mixer

PASSES = 64
"""Passes over the rows, where the steps that they take lie within `STEPS`."""

STEPS = (400, 4500)
"""Fewest and most steps; a table of millions of rows is passed over once."""

MEMORY = 35
"""Passes over the rows in which weight decay forgets by 1/e ..."""

MEMORY_STEPS = 200
"""... but not in fewer steps than this."""

SMALL_ROWS = 3000
SMALL_WIDTHS = ((500, 64), (SMALL_ROWS, 128))
"""Tables of fewer rows than the first numbers have networks of the second width ..."""

WIDTH = 256
"""... and others of this one."""

SMALL_BATCH, BATCH = 64, 256
"""Rows per step of tables with fewer than `SMALL_ROWS`, and of others."""

MOST_MEMBERS, MOST_SMALL_MEMBERS = 3, 5
"""Networks of an ensemble, and of one whose members are small."""

COST, COST_COLUMNS = 300_000, 50
"""Steps times columns that the members may take together, the hidden layers costing as
much as `COST_COLUMNS` columns: 20,000 rows of 17 columns spend it on one member."""

FULL_RATE, FULL_RATE_ROWS = 3e-3, 4000
"""Peak learning rate of tables with so many rows or more; less for smaller ones."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a table is learned. Most defaults were chosen on held-out observed cells.

    Attributes:
      members: networks whose predictions are averaged; None: by the size of the table,
        see `ensemble`.
      mixer, depth, embed: of each network.
      width: the same; None: by the number of rows, see `channels`.
      learning_rate, weight_decay: of AdamW; None: by the size of the table, see
        `rate` and `decay`.
      batch_size: rows per step; None: by the rows of the table, see `batch`.
      max_epochs: passes over the rows at most; None: `steps`.
      copied_share, light_share: of the rows of a batch, see `QueryMasking`.
      rounds: evaluations on held-out cells, evenly spread.
      patience: rounds without improvement before it stops.
      max_time: seconds after which it stops at the next step; None: no limit.
      factor_rows: a table of fewer training rows starts from `Factors`. On held-out
        cells (nats) without and with them: 1,000 rows of california 3.204 and 3.086,
        letter 1.696 and 1.626; 4,200 rows 3.087 and 3.075, 1.405 and 1.437.
      em_start: share of the rounds before the first E-step; 1: there is none.
      imputed_weight, natural_share: see `Objective`.
      consistency_weight: of the KL from the averaged network; 0 leaves it out.
    """

    members: int | None = None
    mixer: Mixer = "dense"
    width: int | None = None
    depth: int = 3
    embed: int = 24
    learning_rate: float | None = None
    weight_decay: float | None = None
    batch_size: int | None = None
    max_epochs: int | None = None
    copied_share: float = 0.5
    light_share: float = 0.3
    rounds: int = 20
    patience: int = 6
    max_time: float | None = None
    factor_rows: int = 3000
    em_start: float = 0.5
    imputed_weight: float = 0.1
    natural_share: float = 0.5
    consistency_weight: float = 1.0

    def limited(self, max_epochs: int | None, max_time: float | None) -> "Recipe":
        """The same with the limits that are not None."""
        limits = {"max_epochs": max_epochs, "max_time": max_time}
        given = {name: value for name, value in limits.items() if value is not None}
        return dataclasses.replace(self, **given)

    def rate(self, num_rows: int) -> float:
        """The peak learning rate: `learning_rate`, or lower for a small table.

        With 240 rows, held-out cells were told best at 5e-4 of 5e-4, 1e-3, 2e-3; with
        810, 6e-4 and 1.4e-3 were alike; with 11,000, 3e-3 was better than 2e-3.
        """
        if self.learning_rate is not None:
            return self.learning_rate
        return FULL_RATE * min(1.0, (num_rows / FULL_RATE_ROWS) ** (2 / 3))

    def decay(self, num_rows: int) -> float:
        """The weight decay: `weight_decay`, or one that forgets in `MEMORY` passes.

        Weights decay by learning rate times this in a step. On held-out cells of two
        tables a memory of 35 to 40 passes was best, for 3,700 rows as for 11,000.
        """
        if self.weight_decay is not None:
            return self.weight_decay
        steps = max(MEMORY_STEPS, MEMORY * num_rows / self.batch(num_rows))
        return 1.0 / (self.rate(num_rows) * steps)

    def ensemble(self, num_rows: int, num_columns: int) -> int:
        """Networks: `members`, or as many as cost no more than one on a large table."""
        if self.members is not None:
            return self.members
        rows = max(self.batch(num_rows), SMALL_BATCH)  # of fewer none goes faster
        each = self._full_steps(num_rows) * rows / BATCH * (num_columns + COST_COLUMNS)
        small = self.channels(num_rows) < WIDTH
        most = MOST_SMALL_MEMBERS if small else MOST_MEMBERS
        return int(np.clip(COST // each, 1, most))

    def channels(self, num_rows: int) -> int:
        """The width: `width`, or less than `WIDTH` for a small table.

        On held-out cells of three splits, five networks of width 64, 128 and 256 had
        2.201, 2.218 and 2.255 nats on diabetes (232 rows), 1.499, 1.498 and 1.521 on
        wine (94); of 64 and 128 3.073 and 3.059 on california (1,000 rows, one split),
        where three of 256 had 3.068.
        """
        if self.width is not None:
            return self.width
        return next((width for rows, width in SMALL_WIDTHS if num_rows < rows), WIDTH)

    def batch(self, num_rows: int) -> int:
        """Rows per step: `batch_size`, or fewer for a small table.

        On held-out cells, means of three splits (california, 1,000 rows: two), batches
        of 256, 128 and 64 had 2.201, 2.197 and 2.192 nats on diabetes, 1.836, 1.838 and
        1.840 on breast_cancer, 3.086, 3.087 and 3.082 on california: alike, and faster.
        """
        if self.batch_size is not None:
            return self.batch_size
        return SMALL_BATCH if num_rows < SMALL_ROWS else BATCH

    def steps(self, num_rows: int) -> int:
        """Steps in all: `max_epochs`, or `PASSES` within `STEPS`, but one at least."""
        if self.max_epochs is None:
            return self._full_steps(num_rows)
        return max(1, round(self.max_epochs * num_rows / self.batch(num_rows)))

    def _full_steps(self, num_rows: int) -> int:
        once = num_rows / self.batch(num_rows)
        return max(round(once), int(np.clip(round(PASSES * once), *STEPS)))
