"""`--mode=train`: trains to a finished workdir, through any number of kills."""

import contextlib
import sys
from collections.abc import Iterator

import jax
import numpy as np

from ambient_jax import keys
from ambient_jax.errors import TrainingDiverged, UserError
from ambient_jax.experiment import finish
from ambient_jax.experiment.config import Config
from ambient_jax.experiment.environment import peak_memory_mib
from ambient_jax.experiment.forecast import Forecast, Plan, measure
from ambient_jax.experiment.hooks import RunHooks
from ambient_jax.experiment.make import make
from ambient_jax.experiment.setup import Setup, check_network
from ambient_jax.experiment.signals import StopRequest
from ambient_jax.experiment.workdir import Workdir
from ambient_jax.files import write_npz
from ambient_jax.mesh import describe
from ambient_jax.report import tensorboard
from ambient_jax.training.checkpoint import Checkpoints
from ambient_jax.training.hooks import Interrupted
from ambient_jax.training.progress import Progress
from ambient_jax.training.recorder import Recorder


def train(config: Config, workdir: Workdir) -> int:
    """Starts or continues a run; returns the exit code (128 + signal if stopped)."""
    with StopRequest() as stop:
        return _train(config, workdir, stop)


def _train(config: Config, workdir: Workdir, stop: StopRequest) -> int:
    setup = make(config, workdir / "classifier.npz", lambda: _leave_if_asked(stop))
    size = check_network(setup)
    found = workdir.claim(config.to_dict(), setup.dataset)
    _introduce(setup, workdir, size)
    if not (workdir / "missingness.npz").exists():
        save_missingness(setup, workdir)
    checkpoints = Checkpoints(workdir.checkpoints, config.checkpoint.keep)
    start = setup.trainer.start()
    progress = checkpoints.restore(start) or start
    if found and progress is not start:
        where = progress.position
        print(f"going on from round {where.round + 1}, {where.phase} {where.index}")
    if where_done(progress) and finish.is_finished(workdir):
        print(f"this run is finished; see {workdir / 'report.html'}")
        return 0
    finish.forget(workdir)
    if not where_done(progress):
        _run_rounds(setup, workdir, checkpoints, progress, stop)
    if stop.interrupted():  # perhaps only after the last round
        checkpoints.close()
        print("saved; the same command goes on from here")
        return 128 + (stop.number or 0)
    finish.finish(setup, workdir, checkpoints, progress)
    checkpoints.close()
    return 0


def _run_rounds(
    setup: Setup, workdir: Workdir, checkpoints: Checkpoints, progress: Progress,
    stop: StopRequest,
) -> None:  # fmt: skip
    """Runs to the end of the last round, or until a signal, and saves."""
    plan = _forecast(setup, progress)
    with (
        _hooks(setup, workdir, checkpoints, progress, stop, plan) as hooks,
        stop.saving_first(),
    ):
        try:
            setup.trainer.run(progress, hooks)
        except TrainingDiverged as error:
            raise UserError(
                f"{error} (config.optimizer.learning_rate, "
                "config.consistency.weight) and use a new --workdir"
            ) from error
        except Interrupted:
            pass
        checkpoints.wait()


def _leave_if_asked(stop: StopRequest) -> None:
    if stop.interrupted():
        raise Interrupted


def _forecast(setup: Setup, progress: Progress) -> Plan:
    """Measures and prints how long the rest of the run takes."""
    plan = measure(setup, progress, setup.config.eval.every_rounds)
    print(
        f"expected: {plan.left(progress.position).describe()}, "
        f"peak memory about {peak_memory_mib() / 1024:.1f} GiB",
        flush=True,
    )
    if hint := plan.hint(setup.config.em.row_share):
        print(hint, flush=True)
    return plan


def where_done(progress: Progress) -> bool:
    """Whether all rounds are done."""
    return progress.position.phase == "done"


@contextlib.contextmanager
def _hooks(
    setup: Setup, workdir: Workdir, checkpoints: Checkpoints, progress: Progress,
    stop: StopRequest, plan: Plan,
) -> Iterator[RunHooks]:  # fmt: skip
    seed, config = setup.config.seed, setup.config
    evaluation_key = keys.derive(seed, keys.Purpose.EVALUATION, 0)

    def figures(now: Progress) -> dict[str, float]:
        params = setup.params(now)
        return setup.suite.cheap(params, now.completions, evaluation_key)

    def pictures(now: Progress) -> dict[str, np.ndarray]:
        key = keys.derive(seed, keys.Purpose.PICTURES)
        return setup.gallery(setup.params(now), now.completions, key)

    position = progress.position
    recorder = Recorder(workdir / "metrics.csv", position.metric_rows)
    board = tensorboard.TensorBoard(workdir / "tb", int(progress.state.step))
    try:
        yield RunHooks(
            recorder=recorder, checkpoints=checkpoints, tensorboard=board, stop=stop,
            figures=figures, pictures=pictures,
            forecast=Forecast(plan=plan, start=position), rounds=config.train.rounds,
            every_rounds=config.eval.every_rounds, seconds_before=position.seconds,
        )  # fmt: skip
    finally:
        recorder.close()
        board.close()


def save_missingness(setup: Setup, workdir: Workdir) -> None:
    """`missingness.npz`: what was observed, `[N, *shape]` booleans."""
    data = setup.dataset
    shape = data.train.shape
    arrays = {
        "train_observed": data.train.observed,
        "valid_observed": data.valid.observed,
    }
    if data.held_out is not None:
        arrays["test_observed"] = data.held_out.test_observed
    shaped = {k: v.reshape(len(v), *shape) for k, v in arrays.items()}
    write_npz(workdir / "missingness.npz", shaped)


def _introduce(setup: Setup, workdir: Workdir, size: int) -> None:
    c = setup.config
    print(
        f"{c.name} on {describe(setup.mesh)}, JAX {jax.__version__} -> {workdir.path}"
    )
    for line in setup.lines:
        print(line)
    steps = c.train.rounds * c.train.steps_per_round
    print(f"network: {size:,} parameters; {c.train.rounds} rounds, {steps} steps")
    estep, last = setup.trainer.estep, c.train.rounds - 1
    if estep.start_round is not None and estep.completer is not None:
        print(
            f"EM from round {estep.start_round + 1}; draws at "
            f"{estep.completer.describe(0)}, at last "
            f"{estep.completer.describe(last - estep.start_round)}"
        )
    for line in setup.suite.skipped_figures:
        print(f"left out: {line}")
    if not tensorboard.is_installed():
        print('left out: tb/, which needs pip install "ambient_jax[tensorboard]"')
    sys.stdout.flush()
