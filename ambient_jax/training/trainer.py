"""The outer loop: rounds of E-step, M-step and evaluation, resumable between units."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
from jax.sharding import Mesh

from ambient_jax import keys
from ambient_jax import mesh as meshes
from ambient_jax.errors import UserError
from ambient_jax.family import Metrics, Objective, TrainingData
from ambient_jax.training.batches import Batches
from ambient_jax.training.estep import EStep, EStepDriver
from ambient_jax.training.hooks import Hooks, Interrupted
from ambient_jax.training.optimizer import GradientTransformation
from ambient_jax.training.phases import move, run_prior, run_units, stop_if_asked
from ambient_jax.training.prior_fit import PriorFit
from ambient_jax.training.progress import Position, Progress
from ambient_jax.training.state import TrainState, init_state, metric_names
from ambient_jax.training.train_step import compile_train_step
from ambient_jax.training.window import Window
from ambient_jax.types import Network, Params, RootKey


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and in what portions to train.

    Attributes:
      rounds: pairs of an E-step and an M-step, rounds before the first E-step included.
      steps_per_round: train steps of one M-step.
      batch_size: rows per train step.
      estep_batch_size: rows per call of the E-step.
      ema_decay: decay of the averaged parameters per step, in [0, 1); 0 makes them
        equal the parameters.
      log_every: steps between two reads of the metrics.
      seed: root of all randomness of the run, not negative.
      new_networks: whether every M-step starts from a new network and optimizer, in
        place of those of the last one. A step is then counted within its round.

    Raises:
      ValueError: a value lies outside its range.
    """

    rounds: int
    steps_per_round: int
    batch_size: int
    estep_batch_size: int
    ema_decay: float = 0.999
    log_every: int = 50
    seed: int = 0
    new_networks: bool = False

    def __post_init__(self) -> None:
        for name in ("rounds", "steps_per_round", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie in [0, 1), got {self.ema_decay}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")


class Trainer:
    """The compiled functions of one run, and the loop over its rounds.

    Args:
      denoiser: the network.
      data: the incomplete rows, all that training sees.
      objective: what the M-step minimises.
      estep: when and how the completions are drawn.
      plan: length and batch sizes.
      optimizer: of the M-step.
      mesh: devices; batches are split over its `data` axis.

    Raises:
      UserError: the devices do not divide the batch size, or the first E-step would
        come after the last round.
    """

    def __init__(
        self,
        denoiser: Network,
        data: TrainingData,
        objective: Objective,
        estep: EStep,
        plan: Plan,
        optimizer: GradientTransformation,
        mesh: Mesh,
    ):
        meshes.check_batch_size(mesh, plan.batch_size)
        if (estep.start_round or 0) >= plan.rounds:
            raise UserError(
                f"the first E-step would come in round {estep.start_round} of "
                f"0..{plan.rounds - 1}, that is never; lower start_round or raise "
                "rounds (start_round None trains without EM)"
            )
        self.denoiser, self.data, self.plan, self.mesh = denoiser, data, plan, mesh
        self.estep, self.objective = estep, objective
        self._optimizer = optimizer
        self.batches = Batches(
            data, plan.seed, plan.steps_per_round, plan.batch_size, mesh
        )
        self.key = jax.device_put(
            keys.derive(plan.seed, keys.Purpose.TRAIN_STEP), meshes.replicated(mesh)
        )
        self.step = compile_train_step(
            mesh, denoiser=denoiser, objective=objective, optimizer=optimizer,
            ema_decay=plan.ema_decay,
        )  # fmt: skip
        self.prior_fit = None
        if estep.prior is not None:
            self.prior_fit = PriorFit(
                estep.prior, data, mesh, plan.estep_batch_size, plan.seed
            )
        self.driver = EStepDriver(
            denoiser, data, estep, mesh, plan.estep_batch_size, plan.seed
        )

    def start(self) -> Progress:
        """Returns round 0: new parameters, completions equal to the incomplete rows."""
        return Progress(
            state=self._new_state(keys.derive(self.plan.seed, keys.Purpose.INIT)),
            completions=self.data.rows.copy(),
            position=Position(phase="prior" if self.prior_fit else "estep"),
            prior=self.prior_fit.start() if self.prior_fit else None,
        )

    def _new_state(self, key: RootKey) -> TrainState:
        state = init_state(self.denoiser, self.objective, self._optimizer, key)
        return jax.device_put(state, meshes.replicated(self.mesh))

    def rows_drawn(self, round_: int) -> int:
        """Number of rows that the E-step of a round draws."""
        if not self.estep.runs_in(round_):
            return 0
        return len(self.driver.chosen_rows(round_))

    def run(self, progress: Progress, hooks: Hooks) -> Progress:
        """Runs from `progress` to the end of the last round, and returns it.

        Raises:
          Interrupted: `hooks.interrupted()` was true; the progress has been saved.
          TrainingDiverged: at the first step whose loss is not finite.
        """
        phases: dict[str, Callable[[Progress, Hooks], None]] = {
            "prior": self._run_prior,
            "estep": self._run_estep,
            "mstep": self._run_mstep,
            "evaluate": self._run_evaluation,
        }
        while progress.position.phase != "done":
            phases[progress.position.phase](progress, hooks)
        return progress

    def sampling_params(self, progress: Progress) -> Params:
        """Returns the parameters that draw and score: the average if `use_ema`."""
        state = progress.state
        return state.ema if self.estep.use_ema else state.params

    def _run_prior(self, progress: Progress, hooks: Hooks) -> None:
        assert self.prior_fit is not None
        run_prior(self.prior_fit, progress, hooks)
        move(progress, phase="estep", index=0)
        hooks.save(progress)  # the next save comes after the first round

    def _draws(self, progress: Progress) -> Iterator[int]:
        """The E-step of this round, by the prior or by the network."""
        position = progress.position
        if self.estep.is_prior_round(position.round):
            assert self.prior_fit is not None
            assert progress.prior is not None
            return self.prior_fit.draws(
                progress.prior,
                progress.completions,
                position.round,
                self.estep.schedule(position.round),
                position.index,
            )
        return self.driver.run(
            self.sampling_params(progress), progress.completions, position.round,
            position.index,
        )  # fmt: skip

    def _run_estep(self, progress: Progress, hooks: Hooks) -> None:
        start = progress.position
        if self.estep.runs_in(start.round):
            total = self.rows_drawn(start.round)
            clock = time.perf_counter()
            run_units(progress, hooks, "E-step", total, self._draws(progress))
            rate = (total - start.index) / (time.perf_counter() - clock)
            step = start.round * self.plan.steps_per_round
            hooks.log(start.round, step, {"estep_items_per_s": rate})
        move(progress, phase="mstep", index=0)

    def _run_mstep(self, progress: Progress, hooks: Hooks) -> None:
        plan, position = self.plan, progress.position
        bar = hooks.bar("M-step", position.round, plan.steps_per_round, position.index)
        order = self.batches.order(position.round)
        window = Window(plan.batch_size, metric_names(self.objective))
        running: deque[Metrics] = deque([{}])
        key = self.key
        if self.plan.new_networks and position.round > 0:
            key = jax.random.fold_in(key, position.round)
            if position.index == 0:
                fresh = keys.derive(plan.seed, keys.Purpose.INIT, position.round)
                progress.state = self._new_state(fresh)
        for index in range(position.index, plan.steps_per_round):
            batch = self.batches.placed(progress.completions, order[index])
            with jax.transfer_guard("disallow"):
                progress.state, made = self.step(progress.state, batch, key)
            running.append(made)
            jax.block_until_ready(running.popleft())  # else many would be under way
            window.steps += 1
            move(progress, index=index + 1)
            figures: dict[str, float] = {}
            if (index + 1) % plan.log_every == 0 or index + 1 == plan.steps_per_round:
                figures = window.read(progress)
                hooks.log(position.round, int(progress.state.step), figures)
            bar.update(index + 1, figures)
            if index + 1 < plan.steps_per_round:
                stop_if_asked(progress, hooks)
        bar.close()
        move(progress, phase="evaluate", index=0)

    def _run_evaluation(self, progress: Progress, hooks: Hooks) -> None:
        try:
            hooks.evaluate(progress)
        except Interrupted:
            hooks.save(progress)
            raise
        round_ = progress.position.round + 1
        phase = "done" if round_ >= self.plan.rounds else "estep"
        move(progress, round=round_, phase=phase, index=0)
        hooks.save(progress)
        if phase != "done":
            stop_if_asked(progress, hooks, saved=True)
