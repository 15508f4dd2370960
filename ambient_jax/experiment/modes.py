"""The commands: one function for each `--mode`, and `--compare`."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from ambient_jax.assembly.assemble import build_optimizer
from ambient_jax.data.continuous_npz import read_continuous
from ambient_jax.data.npz import read_npz
from ambient_jax.errors import ArgumentError, UnfinishedRun, UserError
from ambient_jax.experiment import (
    build,
    environment,
    finish,
    gaussian_model,
    setup,
    table,
    text_modes,
    train,
)
from ambient_jax.experiment.config import Config
from ambient_jax.experiment.gaussian_build import is_gaussian
from ambient_jax.experiment.make import make
from ambient_jax.experiment.outputs import is_npz, new_file, output_advice
from ambient_jax.experiment.workdir import Workdir, as_json, differences
from ambient_jax.files import output_errors, write_npz
from ambient_jax.model import Model
from ambient_jax.report.comparison import write_comparison
from ambient_jax.training.checkpoint import Checkpoints
from ambient_jax.training.restore import restore_params


def run(flags: Any) -> None:
    """Runs the mode that the flags ask for.

    Raises:
      UserError: something in the flags or the files cannot be used.
    """
    environment.quiet_libraries()
    environment.use_few_cores_well()
    environment.use_compilation_cache()
    if flags.compare:
        _compare(flags)
        return
    if flags.mode == "train":
        with _absent_fields("the config", "configs/base.py names them all"):
            sys.exit(_train(flags))
    workdir = _workdir(flags)
    config = ConfigDict(workdir.config())
    _refuse_other_config(flags, workdir, config)
    modes = {"sample": _sample, "impute": _impute, "evaluate": _evaluate}
    with _absent_fields(
        f"{workdir.path} was made by another version of ambient_jax: its config",
        "use that version (git_revision in its summary.json), or train anew",
    ):
        modes[flags.mode](flags, workdir, config)


@contextlib.contextmanager
def _absent_fields(what: str, remedy: str) -> Iterator[None]:
    """Turns the absence of a config field into a `UserError`."""
    try:
        yield
    except AttributeError as error:
        missing = error.args[0] if error.args else None
        if not isinstance(missing, KeyError):  # what a ConfigDict raises
            raise
        name = missing.args[0].split()[0]
        raise UserError(f"{what} has no {name}; {remedy}") from error


def _workdir(flags: Any) -> Workdir:
    if not flags.workdir:
        raise UserError("no --workdir; give the folder of the run: --workdir=FOLDER")
    return Workdir(flags.workdir)


def _train(flags: Any) -> int:
    """Trains and returns the exit code; without a folder, in `runs/NAME_DATA`."""
    config = flags.config
    if config is None:
        raise UserError("no --config; for example --config=em_consistency:digits")
    of_table = table.is_table(config)
    source = config.table.source if of_table else config.data.source
    usual = f"runs/{config.name}_{Path(source.removeprefix('text:')).stem}"
    workdir = Workdir(flags.workdir or usual)
    if of_table:
        table.run(config, workdir.path, flags.overwrite)
        return 0
    return train.train(config, workdir)


def _evaluate(flags: Any, workdir: Workdir, config: Config) -> None:
    made = make(config, workdir / "classifier.npz")
    workdir.check(config.to_dict(), made.dataset)
    checkpoints = Checkpoints(
        workdir.checkpoints, config.checkpoint.keep, read_only=True
    )
    last = checkpoints.require(made.trainer.start())  # before anything is written
    workdir.claim(config.to_dict(), made.dataset)
    finish.finish(made, workdir, checkpoints, last)
    checkpoints.close()


def _sample(flags: Any, workdir: Workdir, config: Config) -> None:
    alphabet = workdir.alphabet()
    if alphabet is not None and not is_npz(flags.output):
        text_modes.sample(flags, alphabet, lambda: load_model(workdir, config))
        return
    output = _output(flags)
    load = gaussian_model.load if is_gaussian(config) else load_model
    rows = load(workdir, config).sample(flags.num, seed=flags.seed)
    _write(output, {"x": rows})
    print(f"{len(rows)} samples: {output}")


def _impute(flags: Any, workdir: Workdir, config: Config) -> None:
    if not flags.input:
        raise UserError("no --input; give an .npz with `x`, -1 in the missing cells")
    if is_gaussian(config):
        _impute_continuous(flags, workdir, config)
        return
    alphabet = workdir.alphabet()
    if alphabet is not None and not is_npz(flags.input):
        text_modes.impute(flags, alphabet, lambda: load_model(workdir, config))
        return
    output, rows = _output(flags), read_npz(flags.input).x
    model = load_model(workdir, config)
    model.tokens(rows)  # refuses another shape before any work
    if flags.statistic == "mean":
        _write(output, {"mean": model.posterior_mean(rows)})
    else:
        drawn = model.impute(rows, num_draws=flags.num_draws, seed=flags.seed)
        _write(output, {"draws": drawn.astype(np.min_scalar_type(drawn.max()))})
    print(f"{len(rows)} rows completed: {output}")


def _impute_continuous(flags: Any, workdir: Workdir, config: Config) -> None:
    output, rows = _output(flags), read_continuous(flags.input).x
    model = gaussian_model.load(workdir, config)
    if flags.statistic == "mean":
        _write(output, {"mean": model.posterior_mean(rows, flags.seed)})
    else:
        _write(output, {"draws": model.impute(rows, flags.num_draws, flags.seed)})
    print(f"{len(rows)} rows completed: {output}")


def load_model(workdir: Workdir, config: Config) -> Model:
    """Returns the final model of a run, without its data."""
    shape, values = workdir.sizes()
    network, settings = build.denoiser(config, shape, values), build.settings(config)
    params = restore_params(
        workdir.checkpoints, network,
        settings.family.objective(settings.plan, start_round=None),
        build_optimizer(settings),
        best=setup.which_checkpoint(config) == "best", ema=settings.use_ema,
    )  # fmt: skip
    return Model(
        denoiser=network,
        params=params,
        shape=shape,
        sampler=settings.sampler,
        batch_size=settings.estep_batch_size,
    )


def _output(flags: Any) -> Path:
    if not flags.output:
        raise UserError(f"no --output; --mode={flags.mode} writes its rows to an .npz")
    return new_file(flags.output, flags, ".npz")


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with output_advice(), output_errors(path):
        write_npz(path, arrays)


def _compare(flags: Any) -> None:
    folders = [Path(folder) for folder in flags.compare]
    output = _compare_output(flags)
    try:
        with output_advice():
            print(write_comparison(folders, output))
    except ArgumentError as error:
        raise UserError(error.message_for("--compare")) from error
    except UnfinishedRun as error:
        raise UserError(f"{error}; finish it with --mode=train first") from error
    print(f"report: {output}")


def _compare_output(flags: Any) -> Path:
    if not flags.output:
        raise UserError("no --output; --compare writes an .html: --output=compare.html")
    return new_file(flags.output, flags, ".html")


def _refuse_other_config(flags: Any, workdir: Workdir, config: Config) -> None:
    if flags.config is None:
        return
    changes = differences(config.to_dict(), as_json(flags.config.to_dict()))
    if changes:
        field, (old, new) = next(iter(changes.items()))
        raise UserError(
            f"{workdir.path} was trained with another config ({field}: {old!r}, not "
            f"{new!r}); leave --config out, it is read from there"
        )
