"""The E-step: replaces the completions of the training rows by draws of the model."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
from jax.sharding import Mesh

from ambient_jax import keys
from ambient_jax.family import Completer, Prior, TrainingData
from ambient_jax.inference.row_map import RowMap, seconds
from ambient_jax.types import Network, Params, bind


@dataclass(frozen=True, kw_only=True)
class EStep:
    """When there are E-steps, and of which rows.

    Attributes:
      start_round: round of the first E-step; the rounds before it train on the
        incomplete rows alone. None: there is no E-step, which is the baseline.
      completer: how missing values are drawn; needed unless `start_round` is None.
      initial_row_share: share of the rows that the first E-step draws, in (0, 1]. A row
        that was never drawn stays as observed; a later E-step draws all that it misses.
      row_share: share of the rows that a later E-step draws, in (0, 1].
      use_ema: whether the averaged parameters draw.
      prior: what is fitted before the first round; None: nothing is.
      prior_rounds: number of E-steps, from the first one on, in which the prior draws
        all rows afresh in place of the network.

    Raises:
      ValueError: a value lies outside its range, or the completer is missing.
    """

    start_round: int | None
    completer: Completer | None = None
    initial_row_share: float = 1.0
    row_share: float = 1.0
    use_ema: bool = True
    prior: Prior | None = None
    prior_rounds: int = 0

    def __post_init__(self) -> None:
        for name in ("initial_row_share", "row_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(
                    f"{name} must lie in (0, 1], got {getattr(self, name)}"
                )
        if self.prior_rounds < 0 or (self.prior_rounds and self.prior is None):
            raise ValueError(
                f"prior_rounds={self.prior_rounds} needs a prior, and is not negative"
            )
        if self.start_round is None:
            return
        if self.start_round < 0:
            raise ValueError(f"start_round must not be below 0, got {self.start_round}")
        if self.completer is None:
            raise ValueError("an E-step needs a completer; start_round=None has none")

    def runs_in(self, round_: int) -> bool:
        """Whether the round starts with an E-step."""
        return self.start_round is not None and round_ >= self.start_round

    def schedule(self, round_: int) -> tuple[np.float32, ...]:
        """The completer's schedule of the E-step of a round."""
        assert self.completer is not None
        assert self.start_round is not None
        return self.completer.schedule(round_ - self.start_round)

    def kind(self, round_: int) -> str:
        """What draws in a round: `none`, `prior`, `initial` or `later`."""
        if not self.runs_in(round_):
            return "none"
        if self.is_prior_round(round_):
            return "prior"
        return "initial" if round_ == self.start_round else "later"

    def is_prior_round(self, round_: int) -> bool:
        """Whether the E-step of the round draws from the prior."""
        start = self.start_round
        return start is not None and start <= round_ < start + self.prior_rounds


class EStepDriver:
    """Runs the E-steps of one run over the completions, which lie on the host.

    Each program of the completer is compiled once. Memory on the device does not grow
    with the number of rows.

    Args:
      denoiser: the network.
      data: the incomplete rows.
      settings: when and of which rows; it must have a completer to `run`.
      mesh: devices; rows are split over its `data` axis.
      batch_size: rows per call, a multiple of the number of devices.
      seed: of the run; keys are derived by purpose, round and row.
    """

    def __init__(
        self,
        denoiser: Network,
        data: TrainingData,
        settings: EStep,
        mesh: Mesh,
        batch_size: int,
        seed: int,
    ):
        self.data = data
        self.settings = settings
        self.seed = seed
        completer = settings.completer
        self._row_maps: dict[Hashable, RowMap] = {}
        if completer is None:
            return

        programs = {completer.program(initial) for initial in (True, False)}
        self._row_maps = {
            program: RowMap(
                _draw, mesh, batch_size, static=(program,), bound=(denoiser, completer)
            )
            for program in programs
        }

    def chosen_rows(self, round_: int) -> np.ndarray:
        """Sorted indices `[n]` of the rows that this round's E-step draws."""
        n, settings = len(self.data), self.settings
        if settings.is_prior_round(round_):
            return np.arange(n)
        initial = round_ == settings.start_round
        share = settings.initial_row_share if initial else settings.row_share
        if share == 1:
            return np.arange(n)
        rng = keys.host_rng(self.seed, keys.Purpose.E_STEP_ROWS, round_)
        count = max(1, round(share * n))
        return np.sort(rng.choice(n, count, replace=False))

    def time_batch(self, params: Params, completions: np.ndarray, round_: int) -> float:
        """Returns the seconds per row of one batch; its draws are dropped.

        Args:
          params, completions, round_: see `run`.
        """
        completer = self.settings.completer
        assert completer is not None
        initial = round_ == self.settings.start_round
        row_map = self._row_maps[completer.program(initial)]
        some = slice(row_map.batch_size)
        context = None if self.data.context is None else self.data.context[some]
        rows, arguments = self.data.rows[some], (params, completer.schedule(0))
        key = keys.derive(self.seed, keys.Purpose.E_STEP, 0)
        taken, _ = seconds(
            lambda: row_map(arguments, key, rows, completions[some], context=context)
        )
        return taken / len(rows)

    def run(
        self, params: Params, completions: np.ndarray, round_: int, start: int = 0
    ) -> Iterator[int]:
        """Replaces `completions` `[N, ...]` in place and yields how many rows are done.

        A row depends on its own completion and key alone, so that an interrupted E-step
        goes on from the last count yielded and ends bitwise the same.

        Args:
          params: parameters that draw.
          completions: current completions; observed cells keep their value.
          round_: round of the run, not before `start_round`.
          start: rows of this E-step that are done already.
        """
        completer, start_round = self.settings.completer, self.settings.start_round
        assert completer is not None
        assert start_round is not None
        key = keys.derive(self.seed, keys.Purpose.E_STEP, round_)
        chosen = self.chosen_rows(round_)
        context = None if self.data.context is None else self.data.context[chosen]
        program = completer.program(initial=round_ == start_round)
        batches = self._row_maps[program].batches(
            (params, self.settings.schedule(round_)), key,
            self.data.rows[chosen], completions[chosen],
            ids=chosen, start=start, context=context,
        )  # fmt: skip
        for where, drawn in batches:
            completions[chosen[where]] = drawn
            yield where.stop


def _draw(
    program, denoiser, completer, arguments, row_keys, rows, completion, context=None
):
    params, schedule = arguments
    denoise = bind(denoiser, params, context)
    return completer.draw(program, schedule, denoise, rows, completion, row_keys)
