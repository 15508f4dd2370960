"""The page of one run, `report.html`: self-contained, readable offline."""

import base64
import io
from pathlib import Path

import jinja2
from matplotlib.figure import Figure

from ambient_jax.files import write_bytes, write_text
from ambient_jax.nesting import flatten
from ambient_jax.report import figures
from ambient_jax.report.record import Record, read_record
from ambient_jax.report.text_rows import text_rows
from ambient_jax.report.verdict import run_verdict

CURVES = (
    "bits_per_char",
    "test_nll_nats", "valid_nll_nats", "completion_nll_nats", "easy_loss",
    "test_imputation_accuracy", "consistency_gap", "consistency_loss", "tweedie_loss",
    "test_denoising_rmse", "grad_norm",
    "train_items_per_s",
)  # fmt: skip
"""Metrics whose curves are shown, in this order."""

FIGURES = {
    "bits_per_char": "negative ELBO of complete test rows of text, per character",
    "bits_per_char_exact": "the same by the chain rule in random orders (a subset)",
    "hidden_bits_per_char": "that of hidden characters given the shown ones, each",
    "valid_bits_per_char": "that of the observed characters of held-out rows, each",
    "test_nll_nats": "negative ELBO of complete test rows, nats per row",
    "test_nll_exact_nats": "the same by the chain rule in random orders (a subset)",
    "test_imputation_nll_nats": "negative ELBO of hidden cells given the shown ones",
    "test_imputation_accuracy": "most probable value of a hidden cell is the true one",
    "test_imputation_rmse": "of the posterior mean; grey levels in [0, 1]",
    "test_imputation_mae": "of the posterior mean, in the units of the data",
    "test_coverage_90": "share of hidden cells inside 90 % intervals, of 19 draws",
    "test_denoising_rmse": "of clean rows estimated from noisy ones, likewise",
    "energy_distance": "of samples to test rows, in the units of the data",
    "data_energy_distance": "the same for two halves of the test rows: the floor",
    "imputed_classifier_accuracy": "class of a completed test row",
    "sample_fid": "Fréchet distance of samples to test rows, classifier features",
    "data_fid": "the same for real rows: the floor",
    "sample_class_entropy": "nats, of the classes among the samples",
    "classifier_accuracy": "of that classifier on complete test rows",
    "valid_nll_nats": "negative ELBO of the observed cells of held-out rows",
    "completion_nll_nats": "the model's own NLL of its completed training rows; when "
    "it rises away from the test NLL, the EM is drifting",
    "consistency_gap": "squared defect of E p(.|z_s) = p(.|z_t); 0 for one joint",
    "order_gap": "squared difference of a pair's log joint in its two orders",
    "observed_share": "of the training cells",
    "train_items_per_s": "rows through train steps",
    "estep_items_per_s": "rows through the E-step",
    "peak_memory_mib": "of the device, or of the process on a CPU",
    "wall_s": "seconds, over all starts",
}
"""Meaning of each figure of a run's summary, in the order in which they are shown."""


def write_report(folder: Path) -> Path:
    """Writes `report.html` and its pictures as PNGs into the folder of a finished run.

    Returns:
      The path of the page.

    Raises:
      UnfinishedRun: the folder holds no finished run.
    """
    record = read_record(folder)
    text = text_rows(record)
    html = render(
        "run.html", record=record, verdict=run_verdict(record), text=text,
        images=_images(record, of_rows=text is None), meanings=FIGURES,
        lines=list(flatten(record.summary["config"]).items()),
    )  # fmt: skip
    write_text(folder / "report.html", html)
    return folder / "report.html"


def _images(record: Record, of_rows: bool) -> dict[str, str]:
    made = {"curves": figures.curves({record.name: record.curves}, CURVES)}
    if of_rows:
        made["samples"] = figures.samples(record)
        made["train"] = figures.completions(record, "train")
    if of_rows and "test_observed" in record.pictures:
        made["test"] = figures.completions(record, "test")
    if "test_nll_by_t" in record.summary:
        made["nll_by_t"] = figures.nll_by_t({record.name: record.summary})
    return {name: embed(figure, record.path, name) for name, figure in made.items()}


def embed(figure: Figure, folder: Path | None, name: str) -> str:
    """Returns the figure as a `data:` URL.

    It is also written to `folder/name.png`, if there is a folder.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, facecolor="white")
    if folder is not None:
        write_bytes(folder / f"{name}.png", buffer.getvalue())
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def render(template: str, **values: object) -> str:
    """Returns the page that a file of `report/templates` makes of `values`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ambient_jax.report"),
        autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(template).render(**values)
