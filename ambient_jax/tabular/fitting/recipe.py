"""How a table is learned: sizes of the network and of the training, by its rows."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from ambient_jax.assembly.masked import MaskedSettings
from ambient_jax.assembly.settings import Settings
from ambient_jax.diffusion.masked.objective import MaskedObjective
from ambient_jax.diffusion.masked.query_masking import QueryMasking
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.networks.column_network import Mixer

PASSES = 64
"""Passes over the rows, where the steps that they take lie within `STEPS`."""

STEPS = (250, 4500)
"""Minimum and maximum number of steps, except that every row is seen once."""

TINY_ROWS = 500
"""Tables with fewer rows have no consistency loss.

Without it, and with at least 250 steps in place of 400, MAE on six splits each of iris,
wine, diabetes and breast_cancer changed by -.003 +- .005, -.004 +- .001, .006 +- .006
and .000, RMSE by -.008 +- .003, -.002 +- .001, .000 and .000; a fit took half as long.
"""

DECAY_PASSES = 35
"""Passes over the rows after which weight decay alone has shrunk a weight to 1/e."""

MIN_DECAY_STEPS = 200
"""The same in steps, as a lower limit for tables of which a pass takes few steps."""

SMALL_ROWS = 3000
"""Tables with fewer rows have smaller networks and batches."""

SMALL_WIDTHS = ((500, 64), (SMALL_ROWS, 128))
"""Pairs of a number of rows and the width of the networks below it."""

WIDTH = 256
"""Width of the networks of larger tables."""

SMALL_BATCH, BATCH = 64, 256
"""Rows per step of tables with fewer than `SMALL_ROWS` rows, and of larger ones."""

MIN_BATCH = 32
"""Rows per step of a table with fewer rows, some of which then occur twice in it."""

MAX_MEMBERS, MAX_SMALL_MEMBERS = 3, 5
"""Largest number of networks in an ensemble, and in one whose networks are small."""

COST_LIMIT, HIDDEN_COLUMNS = 300_000, 50
"""Limit of steps times columns over all members. The hidden layers of a network cost as
much as `HIDDEN_COLUMNS` columns. 20,000 rows of 17 columns reach it with one member."""

FULL_RATE, FULL_RATE_ROWS = 3e-3, 4000
"""Peak learning rate of tables with at least so many rows; smaller ones have less."""

REDRAWN_FRACTION = 0.5
"""Share of a row's missing cells that an E-step redraws."""

DRAW_REVEALS = 4
"""Reveals of an E-step's draws. The initial and later ones share a compiled program."""

DRAWN_PER_TRAINED = 2
"""Rows that an E-step draws, in multiples of the rows that a round trains on."""

EMA_DECAY = 0.99
"""Of the averaged parameters. A fit may have 250 steps, over most of which the slower
average of pictures would still hold the start."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a table is learned. Most defaults were chosen on held-out observed cells.

    Attributes:
      members: number of networks whose predictions are averaged; None: by the size of
        the table, see `ensemble`.
      mixer, depth, embed: see `ColumnNetwork`.
      width: channels of each network; None: by the number of rows, see `channels`.
      learning_rate, weight_decay: of AdamW; None: by the size of the table, see `rate`
        and `decay`.
      batch_size: rows per step; None: by the number of rows, see `batch`.
      max_epochs: maximum number of passes over the rows; None: see `steps`.
      copied_share, light_share: see `QueryMasking`.
      rounds: evaluations on held-out cells, evenly spread over the training.
      patience: rounds without improvement after which training stops.
      max_time: seconds after which training stops at the next step; None: no limit.
      factor_rows: tables with fewer training rows start from a factor model
        (`Factors`). On held-out cells (nats) without and with it: 1,000 rows of
        california 3.204 and 3.086, of letter 1.696 and 1.626; 4,200 rows 3.087 and
        3.075, 1.405 and 1.437.
      em_start: share of the rounds before the first E-step; 1: there is no EM.
      imputed_weight, natural_share: see `MaskedObjective`.
      consistency_weight: weight of the consistency loss, in which the averaged network
        teaches; 0 omits it. None: 0 for tables with fewer than `TINY_ROWS` rows, 1 for
        others.
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
    imputed_weight: float = float(MaskedObjective.imputed_weight)
    natural_share: float = MaskedSettings.natural_share
    consistency_weight: float | None = None

    def limited(self, max_epochs: int | None, max_time: float | None) -> "Recipe":
        """Returns a copy with those of the limits that are not None."""
        limits = {"max_epochs": max_epochs, "max_time": max_time}
        given = {name: value for name, value in limits.items() if value is not None}
        return dataclasses.replace(self, **given)

    def settings(self, num_rows: int, devices: int, seed: int) -> Settings:
        """Returns the settings of the training of a table.

        Args:
          num_rows: training rows N.
          devices: number of devices, which must divide the batch size.
          seed: root of all randomness.
        """
        batch = self.batch(num_rows)
        if num_rows < batch:  # one of a few sizes, whose compiled programs are shared
            batch = max(MIN_BATCH, 2 ** int(np.log2(num_rows)))
        batch = max(devices, batch // devices * devices)
        total = self.steps(num_rows)
        rounds = min(self.rounds, total)
        per_round = -(-total // rounds)
        drawn = min(1.0, DRAWN_PER_TRAINED * per_round * batch / max(1, num_rows))
        # A fit of one round, or one that would start EM at its end, has none.
        em = self.em_start < 1 < rounds
        return Settings(
            rounds=rounds, steps_per_round=per_round, batch_size=batch,
            estep_batch_size=2 * batch, log_every=per_round, ema_decay=EMA_DECAY,
            seed=seed, learning_rate=self.rate(num_rows), warmup_steps=100,
            weight_decay=self.decay(num_rows), em=em,
            em_start=self.em_start if em else None, prior=None,
            initial_row_share=drawn, row_share=drawn, family=self._family(num_rows),
        )  # fmt: skip

    def _family(self, num_rows: int) -> MaskedSettings:
        weight = self.consistency_weight
        if weight is None:
            weight = MaskedSettings.consistency_weight * (num_rows >= TINY_ROWS)
        draws = Sampler(num_reveals=DRAW_REVEALS)
        averaged = dataclasses.replace(MaskedSettings.consistency, rows="all")
        return MaskedSettings(
            imputed_weight=self.imputed_weight,
            natural_share=self.natural_share,
            query_masking=QueryMasking(
                copied_share=self.copied_share, light_share=self.light_share
            ),
            consistency=averaged,
            consistency_weight=weight,
            consistency_start=None,
            skip_unweighted_consistency=True,
            initial_sampler=draws,
            refresh_sampler=draws,
            fraction=REDRAWN_FRACTION,
            temperature=1.0,
            final_temperature=1.0,
        )

    def rate(self, num_rows: int) -> float:
        """The peak learning rate: `learning_rate`, or less for a small table.

        On held-out cells of 240 rows, 5e-4 was the best of 5e-4, 1e-3 and 2e-3; of 810
        rows, 6e-4 and 1.4e-3 were alike; of 11,000 rows, 3e-3 was better than 2e-3.
        """
        if self.learning_rate is not None:
            return self.learning_rate
        return FULL_RATE * min(1.0, (num_rows / FULL_RATE_ROWS) ** (2 / 3))

    def decay(self, num_rows: int) -> float:
        """The weight decay: `weight_decay`, or by the length of a pass.

        A step shrinks the weights by the learning rate times this. On held-out cells of
        two tables, shrinking to 1/e in 35 to 40 passes was best, for 3,700 rows as for
        11,000.
        """
        if self.weight_decay is not None:
            return self.weight_decay
        steps = max(MIN_DECAY_STEPS, DECAY_PASSES * num_rows / self.batch(num_rows))
        return 1.0 / (self.rate(num_rows) * steps)

    def ensemble(self, num_rows: int, num_columns: int) -> int:
        """The number of networks: `members`, or as many as `COST_LIMIT` allows."""
        if self.members is not None:
            return self.members
        rows = max(self.batch(num_rows), SMALL_BATCH)  # smaller batches are no faster
        cost = self._full_steps(num_rows) * rows / BATCH
        cost *= num_columns + HIDDEN_COLUMNS
        small = self.channels(num_rows) < WIDTH
        maximum = MAX_SMALL_MEMBERS if small else MAX_MEMBERS
        return int(np.clip(COST_LIMIT // cost, 1, maximum))

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
        """The rows per step: `batch_size`, or fewer for a small table.

        On held-out cells, means of three splits (california, 1,000 rows: two), batches
        of 256, 128 and 64 had 2.201, 2.197 and 2.192 nats on diabetes, 1.836, 1.838 and
        1.840 on breast_cancer, 3.086, 3.087 and 3.082 on california: alike, and faster.
        """
        if self.batch_size is not None:
            return self.batch_size
        return SMALL_BATCH if num_rows < SMALL_ROWS else BATCH

    def steps(self, num_rows: int) -> int:
        """The total number of steps, at least 1: by `max_epochs`, or by `PASSES`."""
        if self.max_epochs is None:
            return self._full_steps(num_rows)
        return max(1, round(self.max_epochs * num_rows / self.batch(num_rows)))

    def _full_steps(self, num_rows: int) -> int:
        one_pass = num_rows / self.batch(num_rows)
        steps = int(np.clip(round(PASSES * one_pass), *STEPS))
        return max(round(one_pass), steps)
