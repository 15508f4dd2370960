"""The verdict: its words follow from the figures; the page opens with it."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from ambient_jax.report.missingness import Dependence
from ambient_jax.report.page import write_report
from ambient_jax.report.record import read_record
from ambient_jax.report.table_page import write_table_report
from ambient_jax.report.table_verdict import table_verdict
from ambient_jax.report.verdict import run_verdict
from tests.report.test_page import browser, opened, write_run  # noqa: F401
from tests.report.test_table_page import report_of, table


@pytest.fixture
def record(tmp_path):
    return read_record(write_run(tmp_path / "run"))


def with_summary(record, **fields):
    return dataclasses.replace(record, summary={**record.summary, **fields})


def with_pictures(record, mean, truth):
    """100 test rows of 4 hidden cells."""
    pictures = {
        "test_observed": np.full((100, 2, 2), 2), "test_mean": mean,
        "test_truth": truth, "num_values": np.array(2),
    }  # fmt: skip
    return dataclasses.replace(record, pictures=pictures)


def test_what_was_learned_is_compared_with_guessing_and_with_real_rows(record):
    assert "20.0 nats, where guessing without a model costs 11.1" in (
        run_verdict(record).learned
    )
    close = with_summary(
        record, sample_fid=10.0, sample_fid_se=3.0, data_fid=5.0, test_nll_nats=None
    )
    assert run_verdict(close).learned.startswith("New rows could not be told")
    far = with_summary(record, sample_fid=50.0, sample_fid_se=3.0, data_fid=5.0)
    assert "New rows can be told from real ones." in run_verdict(far).learned
    none = with_summary(record, test_nll_nats=None)
    assert "nothing was compared" in run_verdict(none).learned


def test_calibration_is_judged_by_hidden_cells(record):
    rng = np.random.default_rng(0)
    p = rng.random((100, 2, 2))
    truth = (rng.random(p.shape) < p).astype(int)
    sharp = np.where(p > 0.5, 0.999, 0.001)
    dull = 0.5 + 0.2 * (p - 0.5)
    for mean, words in ((p, "Yes"), (sharp, "surer than"), (dull, "more often than")):
        said = run_verdict(with_pictures(record, mean, truth)).calibrated
        assert words in said, said
    without = dataclasses.replace(record, pictures={})
    assert "not measured" in run_verdict(without).calibrated


def test_what_to_distrust(record):
    def said(**fields):
        return " ".join(run_verdict(with_summary(record, **fields)).distrust)

    assert "one run with one seed" in said()
    assert "no test rows" in said()
    assert "90% of the training cells are missing" in said(observed_share=0.1)
    assert "12 test rows only" in said(data={**record.summary["data"], "test_rows": 12})
    curves = {
        "valid_nll_nats": ([5.0, 100.0], [1.0, 2.0]),
        "completion_nll_nats": ([5.0, 100.0], [10.0, 12.0]),
    }
    worse = run_verdict(dataclasses.replace(record, curves=curves)).distrust
    assert any("checkpoint is that of step 10 of 100" in line for line in worse)
    assert any("EM may be drifting" in line for line in worse)


def words_of(levels=(), history=(), dependences=(), pairs=(), rows=400):
    whole = table(rows)
    holes = whole.mask(np.random.default_rng(0).random(whole.shape) < [0.1, 0.6, 0.1])
    return table_verdict(
        observed=holes, completed=whole, history=history, levels=np.asarray(levels),
        dependences=dependences, pairs=pairs,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("level", "word"), [(0.9, "Yes"), (0.6, "too wide"), (1.4, "too narrow")]
)
def test_intervals_of_a_table_are_judged(level, word):
    levels = np.clip(np.linspace(0, level, 1000), 0, 1)
    if word == "Yes":
        levels = np.linspace(0, 1, 1000)
    assert word in words_of(levels).calibrated


def test_the_verdict_of_a_table_names_what_matters():
    depends = Dependence(column="kind", other="x", p=1e-9)
    verdict = words_of(
        history=[3.0, 2.5], dependences=[depends], pairs=[("x", "y", 0.1, 0.5)], rows=90
    )
    said = " ".join(verdict.distrust)
    assert "0.50 nats" in verdict.learned
    for part in (
        "in y.",
        "x and y",
        "depends on other columns in kind",
        "90 rows only",
    ):
        assert part in said, part
    assert "did not improve" in words_of(history=[2.5, 2.6]).learned
    assert "could not be checked" in words_of().calibrated


def structure(page):
    """Headings and main parts in their order."""
    return page.eval_on_selector_all(
        "h1, #verdict dt, h2, body > figure, body > .row, table",
        "all => all.map(e => e.id ? `${e.tagName}#${e.id}` : e.tagName)",
    )


def test_a_report_opens_with_the_verdict_and_then_the_pictures(browser, tmp_path):  # noqa: F811
    page = opened(browser, write_report(write_run(tmp_path / "run")))
    assert structure(page) == [
        "H1", "DT", "DT", "DT", "H2", "FIGURE", "H2", "DIV", "H2", "TABLE#figures",
        "H2", "FIGURE", "FIGURE", "H2", "TABLE#config",
    ]  # fmt: skip
    text = page.inner_text("body")
    assert text.index("What was learned") < text.index("Test rows, completed")
    assert text.index("Test rows, completed") < text.index("test_nll_nats")


def test_a_table_report_opens_with_the_verdict(browser, tmp_path):  # noqa: F811
    whole = table()
    holes = whole.mask(np.random.default_rng(0).random(whole.shape) < 0.3)
    write_table_report(tmp_path / "r.html", report_of(holes, whole))
    page = opened(browser, tmp_path / "r.html")
    found = structure(page)
    assert found[:6] == ["H1", "DT", "DT", "DT", "H2", "FIGURE"]
    assert "TABLE#columns" in found


def test_tables_are_sorted_by_a_click_and_by_enter(browser, tmp_path):  # noqa: F811
    whole = pd.DataFrame({f"c{i}": np.arange(20.0) for i in (2, 10, 1)})
    holes = whole.copy()
    for name, count in (("c2", 2), ("c10", 10), ("c1", 1)):
        holes.loc[: count - 1, name] = np.nan
    write_table_report(tmp_path / "r.html", report_of(holes, whole))
    page = opened(browser, tmp_path / "r.html")

    def column(number):
        return page.eval_on_selector_all(
            f"#columns td:nth-child({number})", "all => all.map(e => e.textContent)"
        )

    head = page.locator("#columns th").nth(2)
    head.click()
    assert column(3) == ["5.0 %", "10.0 %", "50.0 %"]  # as text 10 would be first
    head.press("Enter")
    assert column(3) == ["50.0 %", "10.0 %", "5.0 %"]
    assert column(1) == ["c10", "c2", "c1"]  # whole rows move
    assert head.get_attribute("aria-sort") == "descending"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(browser, tmp_path, scheme):  # noqa: F811
    path = write_report(write_run(tmp_path / "run"))
    context = browser.new_context(offline=True, color_scheme=scheme)
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(path.as_uri())
    colors = page.evaluate(
        """() => ["body", "#verdict", "p.sub"].map(name => {
            const style = getComputedStyle(document.querySelector(name));
            return [style.color, style.backgroundColor]; })"""
    )
    page_light = brightness(colors[0][1])
    assert (page_light > 0.5) == (scheme == "light")
    for text, _ in colors:
        assert abs(brightness(text) - page_light) > 0.4
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def brightness(color):
    """Mean of red, green and blue in [0, 1] of `rgb(r, g, b)`."""
    return np.mean(json.loads(f"[{color.partition('(')[2].rstrip(')')}]")[:3]) / 255
