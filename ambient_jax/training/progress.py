"""How far a run is: everything that it needs to go on bitwise the same."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ambient_jax.training.prior_fit import PriorState
from ambient_jax.training.state import TrainState

Phase = Literal["prior", "estep", "mstep", "evaluate", "done"]


@dataclass(frozen=True, kw_only=True)
class Position:
    """A point between two units of work.

    Attributes:
      round: current round, from 0.
      phase: phase of the next unit of work.
      index: rows drawn (E-step) or steps done (prior, M-step) in this phase.
      metric_rows: number of lines of `metrics.csv` at this point.
      seconds: wall time so far, over all starts of the run.
      scores: validation scores of the finished rounds, lower is better; empty where
        the run does not stop early.
    """

    round: int = 0
    phase: Phase = "estep"
    index: int = 0
    metric_rows: int = 0
    seconds: float = 0.0
    scores: tuple[float, ...] = ()


@dataclass(kw_only=True)
class Progress:
    """The mutable progress of a run.

    Attributes:
      state: parameters and optimizer, on the devices.
      completions: `[N, ...]` on the host; equal to the rows where these are observed.
      position: where in the run it is.
      prior: the prior and its fit; None in a run without one.
    """

    state: TrainState
    completions: np.ndarray
    position: Position
    prior: PriorState | None = None
