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
from ambient_jax.experiment.hooks import RunHooks
from ambient_jax.experiment.setup import Setup, check_network, make
from ambient_jax.experiment.signals import StopRequest
from ambient_jax.experiment.workdir import Workdir
from ambient_jax.files import write_npz
from ambient_jax.mesh import describe
from ambient_jax.report.tensorboard import TensorBoard
from ambient_jax.training.checkpoint import Checkpoints
from ambient_jax.training.progress import Progress
from ambient_jax.training.recorder import Recorder
from ambient_jax.training.trainer import Interrupted


def train(config: Config, workdir: Workdir) -> int:
    """Starts or continues a run; returns the exit code (128 + signal if stopped)."""
    setup = make(config, workdir / "classifier.npz")
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
    with StopRequest() as stop:
        with _hooks(setup, workdir, checkpoints, progress, stop) as hooks:
            try:
                setup.trainer.run(progress, hooks)
            except TrainingDiverged as error:
                raise UserError(
                    f"{error} (config.optimizer.learning_rate, "
                    "config.consistency.weight) and use a new --workdir"
                ) from error
            except Interrupted:
                checkpoints.close()
                print("saved; the same command goes on from here")
                return 128 + (stop.number or 0)
            checkpoints.wait()
            if stop.number:  # it came while the last round was evaluated
                checkpoints.close()
                print("saved; the same command makes the final figures")
                return 128 + stop.number
    finish.finish(setup, workdir, checkpoints, progress)
    checkpoints.close()
    return 0


def where_done(progress: Progress) -> bool:
    """Whether all rounds are done."""
    return progress.position.phase == "done"


@contextlib.contextmanager
def _hooks(
    setup: Setup, workdir: Workdir, checkpoints: Checkpoints, progress: Progress,
    stop: StopRequest,
) -> Iterator[RunHooks]:  # fmt: skip
    seed, config = setup.config.seed, setup.config
    evaluation_key = keys.derive(seed, keys.Purpose.EVALUATION, 0)

    def figures(now: Progress) -> dict[str, float]:
        params = setup.params(now)
        return setup.suite.cheap(params, now.completions, evaluation_key)

    def pictures(now: Progress, board: TensorBoard) -> None:
        key = keys.derive(seed, keys.Purpose.PICTURES)
        drawn = setup.gallery(setup.params(now), now.completions, key)
        board.pictures(int(now.state.step), drawn)

    position = progress.position
    recorder = Recorder(workdir / "metrics.csv", position.metric_rows)
    board = TensorBoard(workdir / "tb", int(progress.state.step))
    try:
        yield RunHooks(
            recorder=recorder, checkpoints=checkpoints, tensorboard=board, stop=stop,
            figures=figures, pictures=pictures, rounds=config.train.rounds,
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
    data, c = setup.dataset, setup.config
    shape = "x".join(map(str, data.train.shape))
    tests = len(data.held_out.test) if data.held_out else 0
    print(
        f"{c.name} on {describe(setup.mesh)}, JAX {jax.__version__} -> {workdir.path}"
    )
    print(
        f"data {data.name}: {len(data.train)} + {len(data.valid)} + {tests} rows "
        f"(train + valid + test) of {shape} tokens, {data.train.num_values} values; "
        f"{data.observed_share:.1%} of the training cells are observed"
    )
    seen = len(np.unique(data.train.tokens[data.train.observed]))
    if seen <= data.train.num_values // 2:
        print(
            f"hint: only {seen} of the {data.train.num_values} values occur; numbered "
            "0.. without gaps (np.unique, return_inverse) they are learned faster"
        )
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
    sys.stdout.flush()
