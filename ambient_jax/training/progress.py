"""Where a run stands: all that is needed to go on, bitwise."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ambient_jax.training.state import TrainState

Phase = Literal["estep", "mstep", "evaluate", "done"]


@dataclass(frozen=True, kw_only=True)
class Position:
    """A point between two units of work.

    Attributes:
      round: current round.
      phase: what the next unit belongs to.
      index: rows refreshed (E-step) or steps done (M-step) in this phase.
      metric_rows: lines that metrics.csv had.
      seconds: wall time used so far, over all starts.
    """

    round: int = 0
    phase: Phase = "estep"
    index: int = 0
    metric_rows: int = 0
    seconds: float = 0.0


@dataclass(kw_only=True)
class Progress:
    """The mutable whole: state on the devices, completions [N, L] on the host."""

    state: TrainState
    completions: np.ndarray
    position: Position
