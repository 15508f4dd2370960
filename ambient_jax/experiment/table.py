"""`--config=configs/table.py:FILE` or `diffputer.py:FILE`: completes a table."""

import shutil
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ambient_jax.errors import UserError
from ambient_jax.experiment import table_fields
from ambient_jax.experiment.config import Config
from ambient_jax.report.table_page import TableReport, write_table_report
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.frames.schema import schema_of

NAMES = ("completed.csv", "completed.parquet", "draws", "model", "report.html")
"""Files and folders of a run; `--overwrite` replaces them and touches nothing else."""

UNFINISHED = "unfinished"
"""Folder with the checkpoints of a fit, deleted when all files are written. While it
exists, the files beside it are incomplete, and the same command continues the run (or,
if the imputer saves no checkpoints, repeats it)."""

REASONS = {
    "mode": "taken for codes (if not, name them in config.table.numeric), so that the "
            "most probable value is imputed",
    "median": "half or more of the cells have one value, so that the median is imputed",
    "nearest": "few values (if they are codes, name them in config.table.categorical), "
               "so that the value nearest to the mean is imputed",
}  # fmt: skip
"""Why the columns of numbers with each point estimate have it, for the user."""


def run(config: Config, workdir: Path, overwrite: bool) -> None:
    """Fits, completes, draws, saves and reports.

    Raises:
      UserError: the file, a field or the folder cannot be used; nothing was changed.
    """
    c = config.table
    if not c.source:
        raise UserError("no file; give it after the colon: configs/table.py:data.csv")
    file = table_fields.read(c)
    copied = table_fields.columns("identifiers", c.identifiers, file.frame)
    learned = file.frame.drop(columns=copied)
    if learned.shape[1] == 0:
        raise UserError("config.table.identifiers leaves no column to learn from")
    imputer = table_fields.imputer(config, learned, workdir / UNFINISHED)
    made = _claim(workdir, overwrite)
    holes = int(file.frame.isna().to_numpy().sum())
    print(f"{file.path}: {file.frame.shape[0]} rows, {file.frame.shape[1]} columns, "
          f"{holes} missing cells")  # fmt: skip
    told = table_fields.with_field_names(file.notes, c)
    _warn(told)
    if not holes:
        print("no cell is missing; the file is copied")
        file.write(workdir / f"completed{file.suffix}", file.frame)
        return
    try:
        with warnings.catch_warnings(record=True, action="always") as caught:
            codec = _checked_codec(imputer, learned)
            told += tuple(_print_estimates(codec, c.get("statistic", "")))
            imputer.fit(learned)
        full = _joined(file.frame, imputer.transform(learned))
        draws = imputer.sample_imputations(learned, c.num_draws) if c.num_draws else []
    except (ValueError, TypeError) as error:
        for folder in made:
            if not any(folder.iterdir()):  # it holds the fit, if that was not refused
                folder.rmdir()
        raise UserError(" ".join(str(error).split())) from error
    notes = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    _warn(notes)
    draws = [_joined(file.frame, draw) for draw in draws]
    _write(workdir, file, imputer, full, draws, (*told, *notes))
    shutil.rmtree(workdir / UNFINISHED, ignore_errors=True)


def _warn(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"warning: {note}", file=sys.stderr)


def _checked_codec(imputer: Any, frame: pd.DataFrame) -> TableCodec:
    """Refuses, before hours of a fit, what could not be saved after it."""
    from ambient_jax.tabular.interface.parameters import fit_codec

    with warnings.catch_warnings(action="ignore"):
        codec = fit_codec(imputer, frame)
        codec.to_json()
    for field in schema_of(frame):
        field.to_json()
    return codec


def _print_estimates(codec: TableCodec, statistic: str) -> Iterable[str]:
    """Prints, and yields, which columns of numbers are not imputed by their mean."""
    for estimate, reason in REASONS.items():
        names = [repr(column.name) for column in codec.columns
                 if column.numeric and column.estimate == estimate]  # fmt: skip
        if names and statistic == "auto":
            line = f"{reason}: {', '.join(names)}"
            print(line)
            yield line


def _write(
    workdir: Path, file: Any, imputer: Any, full: Any, draws: list,
    notes: tuple[str, ...],
) -> None:  # fmt: skip
    """All files; `report.html` comes last."""
    (workdir / UNFINISHED).mkdir(exist_ok=True)  # until all of them are written
    imputer.save(workdir / "model")
    shutil.rmtree(workdir / "draws", ignore_errors=True)
    if draws:
        (workdir / "draws").mkdir(exist_ok=True)
    for number, draw in enumerate(draws):
        file.write(workdir / "draws" / f"{number + 1:02}{file.suffix}", draw)
    completed = workdir / f"completed{file.suffix}"
    file.write(completed, full)
    calibration = getattr(imputer, "calibration_", None)
    write_table_report(workdir / "report.html", TableReport(
        name=file.path.name, observed=file.frame, completed=full,
        draw=draws[0] if draws else full, outcome=table_fields.outcome(imputer),
        history=imputer.history_ if calibration else (),
        levels=calibration.pooled if calibration else np.zeros(0),
        seconds=imputer.seconds_, notes=notes,
    ))  # fmt: skip
    print(f"completed: {completed}\nreport: {workdir / 'report.html'}")


def _claim(workdir: Path, overwrite: bool) -> list[Path]:
    """Makes the folder; refuses what a finished run wrote.

    Returns:
      The folders that it made, the innermost first.
    """
    present = [name for name in NAMES if (workdir / name).exists()]
    if present and not overwrite and not (workdir / UNFINISHED).exists():
        raise UserError(
            f"{workdir} holds {', '.join(present)} already; give --overwrite or "
            "another --workdir"
        )
    made = [folder for folder in (workdir, *workdir.parents) if not folder.exists()]
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--workdir={workdir} cannot be written ({error})") from error
    return made


def _joined(whole: pd.DataFrame, completed: pd.DataFrame) -> pd.DataFrame:
    """`completed` with the columns that were only copied, in the file's order."""
    parts = [
        completed[c] if c in completed.columns else whole[c] for c in whole.columns
    ]
    return pd.concat(parts, axis=1)


def is_table(config: Any) -> bool:
    """Whether a config is that of a table."""
    return config is not None and "table" in config
