"""One page that compares several finished runs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ambient_jax.errors import ArgumentError
from ambient_jax.files import output_errors, write_text
from ambient_jax.nesting import flatten
from ambient_jax.report import figures
from ambient_jax.report.page import CURVES, FIGURES, embed, render
from ambient_jax.report.record import Record, read_record
from ambient_jax.report.text_rows import text_rows


def write_comparison(folders: Sequence[Path], output: Path) -> str:
    """Writes a page that compares finished runs.

    Args:
      folders: of the runs.
      output: path of the HTML page.

    Returns:
      The table of figures as Markdown.

    Raises:
      ArgumentError: a folder is given twice.
      OutputError: `output` cannot be written.
      UnfinishedRun: a folder holds no finished run.
    """
    for index, folder in enumerate(folders):
        if folder.resolve() in [other.resolve() for other in folders[:index]]:
            reason = f"{{argument}} names {folder} twice; give each run once"
            raise ArgumentError("folders", reason)
    records = _labelled([read_record(folder) for folder in folders])
    runs = {label: record.curves for label, record in records.items()}
    summaries = {label: record.summary for label, record in records.items()}
    images = {
        "curves": embed(figures.curves(runs, CURVES), None, "curves"),
        "nll_by_t": embed(figures.nll_by_t(summaries), None, "nll_by_t"),
    }
    galleries = {label: _gallery(record) for label, record in records.items()}
    html = render(
        "comparison.html", records=records, images=images, galleries=galleries,
        meanings=FIGURES,
        present=lambda name: any(record.figure(name) for record in records.values()),
        differences=config_differences(records), paired=paired(records),
    )  # fmt: skip
    with output_errors(output):
        write_text(output, html)
    return markdown_table(records)


def _gallery(record: Record) -> dict[str, object]:
    """Rows of a run: as text, or as pictures."""
    text = text_rows(record)
    if text is not None:
        return {"text": text}
    return {
        "text": None,
        "samples": embed(figures.samples(record), None, "samples"),
        "completions": embed(figures.completions(record, _split(record)), None, ""),
    }


def markdown_table(records: dict[str, Record]) -> str:
    """Returns a table with one line per figure of any run and one column per run."""
    lines = [["", *records], ["---"] * (len(records) + 1)]
    for name in FIGURES:
        cells = [record.figure(name) for record in records.values()]
        if any(cells):
            lines.append([f"`{name}`", *(cell or "–" for cell in cells)])
    lines += [
        [name, *(cell or "–" for cell in cells)] for name, cells in paired(records)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def paired(records: dict[str, Record]) -> list[tuple[str, list[str | None]]]:
    """Compares the nats of each test row with those of the last run.

    Rows differ far more than models do, so that the mean of the paired differences has
    a far smaller standard error than the difference of the means. Runs of one seed were
    also scored under the same masks.

    Returns:
      Names of figures, each with one cell per run: the mean difference and its standard
      error, or None for the last run and for runs with other test rows.
    """
    if len(records) < 2:
        return []
    *_, (label, last) = records.items()
    lines = []
    for name in last.rows:
        cells = [_difference(record, last, name) for record in records.values()]
        lines.append((f"`{name}` − {label}'s", cells))
    return lines


def _difference(record: Record, last: Record, name: str) -> str | None:
    """Returns the mean of this run's nats minus the last one's ± its standard error."""
    own, other = (r.summary["data"]["test_fingerprint"] for r in (record, last))
    if record is last or name not in record.rows or own != other:
        return None
    difference = record.rows[name] - last.rows[name]
    difference = difference[np.isfinite(difference)]
    if len(difference) < 2:
        return None
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    return f"{difference.mean():+.3f} ± {error:.2g}"


def config_differences(records: dict[str, Record]) -> list[tuple[str, list[object]]]:
    """Returns the fields in which the configs differ, with their value in every run."""
    flat = [flatten(r.summary["config"]) for r in records.values()]
    names = {name: None for config in flat for name in config}
    lines = [(name, [config.get(name, "") for config in flat]) for name in names]
    return [(n, values) for n, values in lines if any(v != values[0] for v in values)]


def _labelled(records: list[Record]) -> dict[str, Record]:
    """Labels the runs by the names of their configs, or by folder if these agree."""
    names = [record.name for record in records]
    if len(set(names)) == len(names):
        return dict(zip(names, records, strict=True))
    paths = [f"{r.path.parent.name}/{r.path.name}" for r in records]
    if len(set(paths)) < len(paths):
        paths = [str(r.path) for r in records]
    return dict(zip(paths, records, strict=True))


def _split(record: Record) -> str:
    """Returns the split whose completions are shown."""
    return "test" if "test_observed" in record.pictures else "train"
