"""The end of a run: final figures, pictures, summary and report."""

import csv
import json
import statistics
import time
from typing import Any

import numpy as np

from ambient_jax import keys
from ambient_jax.data.dataset import HeldOut
from ambient_jax.evaluation import estimate
from ambient_jax.experiment import environment
from ambient_jax.experiment.setup import Setup
from ambient_jax.experiment.workdir import Workdir, describe_data
from ambient_jax.files import write_json, write_npz
from ambient_jax.mesh import device_name
from ambient_jax.report.page import write_report
from ambient_jax.training.bars import watched
from ambient_jax.training.checkpoint import Checkpoints
from ambient_jax.training.progress import Progress


def finish(
    setup: Setup, workdir: Workdir, checkpoints: Checkpoints, last: Progress
) -> dict[str, Any]:
    """Evaluates the final (by default the best) checkpoint and writes all files."""
    clock = time.perf_counter()
    print("final figures ...", flush=True)
    progress = setup.final(checkpoints, last)
    params, seed = setup.params(progress), setup.config.seed
    key = keys.derive(seed, keys.Purpose.EVALUATION, 1)
    rows: dict[str, np.ndarray] = {}
    figures = setup.suite.full(
        params, progress.completions, key, nats_per_row=rows, watch=watched
    )
    figures |= _prior_figures(setup, progress, rows)
    drawn = setup.gallery(
        params, progress.completions, keys.derive(seed, keys.Purpose.PICTURES)
    )
    write_npz(workdir / "pictures.npz", drawn)
    write_npz(workdir / "rows.npz", rows)
    summary = _summary(setup, workdir, figures)
    summary["checkpoint_step"] = int(progress.state.step)
    summary["wall_s"] = last.position.seconds + time.perf_counter() - clock
    write_json(workdir / "summary.json", summary, strict=True)
    write_report(workdir.path)
    _show(summary)
    print(f"report: {workdir / 'report.html'}", flush=True)
    return summary


def _prior_figures(
    setup: Setup, progress: Progress, rows: dict[str, np.ndarray]
) -> dict[str, float]:
    """The negative log-likelihood of complete test rows under the prior, exactly."""
    fit, held_out = setup.trainer.prior_fit, setup.dataset.held_out
    of_tokens = isinstance(held_out, HeldOut) and held_out.complete
    if fit is None or progress.prior is None or held_out is None or not of_tokens:
        return {}
    name = "prior_test_nll_nats"
    rows[name] = fit.nats(progress.prior, held_out.test)
    return dict(estimate.mean(name, rows[name]))


def is_finished(workdir: Workdir) -> bool:
    """Whether the run's last file, the report, is there."""
    return (workdir / "report.html").exists() and (workdir / "summary.json").exists()


def forget(workdir: Workdir) -> None:
    """Deletes the figures of an earlier state of a run that continues."""
    for name in ("report.html", "summary.json"):
        (workdir / name).unlink(missing_ok=True)


def _summary(
    setup: Setup, workdir: Workdir, figures: dict[str, float]
) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in figures.items():  # `name/level` becomes a dictionary of levels
        name, _, level = name.partition("/")
        if level:
            nested.setdefault(name, {})[level] = value
        else:
            nested[name] = value
    return {
        **nested,
        **_rates(workdir),
        "observed_share": setup.dataset.observed_share,
        "peak_memory_mib": environment.peak_memory_mib(),
        "skipped_figures": setup.suite.skipped_figures,
        "data": describe_data(setup.dataset),
        "seed": setup.config.seed,
        "device": device_name(setup.mesh),
        "versions": environment.versions(),
        "git_revision": setup.revision,
        "config": json.loads(json.dumps(setup.config.to_dict())),
    }


def _rates(workdir: Workdir) -> dict[str, float]:
    """Returns median rates over the run; the first window includes the compilation."""
    found: dict[str, list[float]] = {}
    with (workdir / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["name"].endswith("_items_per_s"):
                found.setdefault(row["name"], []).append(float(row["value"]))
    return {name: statistics.median(values) for name, values in found.items()}


def _show(summary: dict[str, Any]) -> None:
    """Prints the most important figures, one per line."""
    for name in SHOWN:
        if np.isfinite(summary.get(name, np.nan)):
            error = summary.get(f"{name}_se")
            spread = f" +- {error:.3g}" if error is not None else ""
            print(f"  {name:32} {summary[name]:.4g}{spread}")


SHOWN = (
    "bits_per_char", "bits_per_char_exact", "hidden_bits_per_char",
    "valid_bits_per_char",
    "test_nll_nats", "test_nll_exact_nats", "test_imputation_nll_nats",
    "test_imputation_accuracy", "test_imputation_rmse", "sample_fid", "data_fid",
    "sample_class_entropy", "imputed_classifier_accuracy", "valid_nll_nats",
    "completion_nll_nats", "prior_test_nll_nats", "consistency_gap", "order_gap",
    "test_imputation_mae", "test_coverage_90", "test_denoising_rmse", "energy_distance",
    "data_energy_distance",
    "train_items_per_s", "estep_items_per_s", "peak_memory_mib", "wall_s",
)  # fmt: skip
