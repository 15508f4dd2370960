"""How a table is learned: network, optimizer, length."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from ambient_jax.networks.column_network import Mixer


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a table is learned. The defaults were chosen on held-out observed cells.

    Attributes:
      mixer, width, depth, embed: of the network.
      learning_rate, weight_decay: of AdamW.
      batch_size: rows per step.
      max_epochs: passes over the rows at most; None: `steps`.
      rounds: evaluations on held-out cells, evenly spread.
      patience: rounds without improvement before it stops.
      max_time: seconds after which it stops at the next step; None: no limit.
      em_start: share of the rounds before the first E-step; 1: there is none.
      imputed_weight, natural_share: see `Objective`.
      consistency_weight: of the martingale loss; 0 leaves it out.
    """

    mixer: Mixer = "dense"
    width: int = 256
    depth: int = 3
    embed: int = 24
    learning_rate: float = 2e-3
    weight_decay: float = 1.0
    batch_size: int = 256
    max_epochs: int | None = None
    rounds: int = 20
    patience: int = 6
    max_time: float | None = None
    em_start: float = 1.0
    imputed_weight: float = 0.1
    natural_share: float = 0.5
    consistency_weight: float = 0.0

    def limited(self, max_epochs: int | None, max_time: float | None) -> "Recipe":
        """The same with the limits that are not None."""
        limits = {"max_epochs": max_epochs, "max_time": max_time}
        given = {name: value for name, value in limits.items() if value is not None}
        return dataclasses.replace(self, **given)

    def steps(self, num_rows: int) -> int:
        """Steps in all: `max_epochs`, or 40 passes within 400..3000 steps."""
        if self.max_epochs is None:
            return max(
                round(num_rows / self.batch_size),
                int(np.clip(40 * num_rows / self.batch_size, 400, 3000)),
            )
        return max(1, round(self.max_epochs * num_rows / self.batch_size))
