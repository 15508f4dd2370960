"""The report in a headless browser: all pictures load, nothing comes from outside."""

import json
import shutil

import numpy as np
import pytest

from ambient_jax.errors import UserError
from ambient_jax.report.comparison import write_comparison
from ambient_jax.report.page import write_report


def write_run(folder, name="toy", nll=20.0, truth=True, test="t"):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    config = {"name": name, "eval": {"checkpoint": "best"}, "data": {"rate": 0.6}}
    summary = {
        "test_nll_nats": nll, "test_nll_nats_se": 0.1,
        "skipped_figures": ["sample_fid: why"],
        "test_nll_by_t": {"0.25": 1.0, "0.75": 2.0}, "config": config, "seed": 0,
        "observed_share": 0.4, "device": "cpu", "wall_s": 3.0, "checkpoint_step": 10,
        "versions": {"jax": "0"}, "git_revision": None,
        "data": {"name": "toy <b>", "rows": 5, "shape": [4, 4], "num_values": 2,
                 "fingerprint": "f", "test_fingerprint": test},
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "metrics.csv").write_text(
        "round,step,name,value\n0,5,test_nll_nats,22\n0,5,test_nll_nats_se,1\n"
        "1,10,test_nll_nats,20\n1,10,test_nll_nats_se,1\n"
    )
    pictures = {
        name: rng.integers(0, 3, (6, 4, 4))
        for name in ("samples", "train_observed", "train_completed")
    }
    if truth:
        pictures["test_observed"] = rng.integers(0, 3, (6, 4, 4))
        pictures["test_completed"] = rng.integers(0, 2, (6, 4, 4))
        pictures["test_truth"] = rng.integers(0, 2, (6, 4, 4))
        pictures["test_mean"] = rng.random((6, 4, 4))
    np.savez(folder / "pictures.npz", num_values=2, **pictures)
    # Rows that differ by 1 and by 3 nats between runs, and far more among themselves.
    rows = {"b": [10.0, 90.0, np.nan]}.get(name, [11.0, 93.0, np.nan])
    np.savez(folder / "rows.npz", test_nll_nats=rows)
    return folder


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with playwright.sync_playwright() as p:
        try:
            found = p.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no browser: {str(error).splitlines()[0]}")
        yield found
        found.close()


def opened(browser, path):
    """The page with the network off; fails on any request or script error."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    problems = []
    page.on("request", lambda r: _outside(r.url) and problems.append(r.url))
    page.on("pageerror", lambda e: problems.append(str(e)))
    page.goto(path.as_uri())
    page.wait_for_load_state("load")
    assert problems == []
    return page


def _outside(url):
    return not url.startswith(("file:", "data:"))


def sizes(page):
    return page.eval_on_selector_all("img", "all => all.map(i => i.naturalWidth)")


def test_the_report_opens_offline_with_all_pictures(browser, tmp_path):
    page = opened(browser, write_report(write_run(tmp_path / "run")))
    assert len(sizes(page)) == 5
    assert min(sizes(page)) > 100
    assert "20 ± 0.1" in page.inner_text("#figures")
    assert page.inner_text("h1") == "toy on toy <b>"  # escaped
    assert "sample_fid: why" in page.inner_text("p.left-out")
    assert (tmp_path / "run" / "test.png").exists()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]


def test_a_run_without_test_rows_has_a_report(browser, tmp_path):
    page = opened(browser, write_report(write_run(tmp_path / "run", truth=False)))
    assert page.query_selector("#test") is None
    assert min(sizes(page)) > 100


def test_the_comparison_shows_every_run_and_what_differs(browser, tmp_path):
    runs = [write_run(tmp_path / n, n, nll) for n, nll in (("a", 20.0), ("b", 18.5))]
    table = write_comparison(runs, tmp_path / "compare.html")
    assert "| `test_nll_nats` | 20 ± 0.1 | 18.5 ± 0.1 |" in table
    page = opened(browser, tmp_path / "compare.html")
    assert "20 ± 0.1\t18.5 ± 0.1" in page.inner_text("#figures")
    assert "test_nll_nats − b's\t+2.000 ± 1\t–" in page.inner_text("#figures")
    assert "| `test_nll_nats` − b's | +2.000 ± 1 | – |" in table
    assert "name\ta\tb" in page.inner_text("#differences")
    assert len(sizes(page)) == 6
    assert min(sizes(page)) > 100


def test_runs_with_other_test_rows_are_not_paired(tmp_path):
    runs = [write_run(tmp_path / n, n, test=n) for n in ("a", "b")]
    table = write_comparison(runs, tmp_path / "compare.html")
    assert "| `test_nll_nats` − b's | – | – |" in table


def test_folders_without_a_finished_run_are_named(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        write_report(tmp_path)


@pytest.mark.parametrize("lost", ["config.name", "data.test_fingerprint", "data"])
def test_a_summary_that_lacks_a_field_is_no_finished_run(tmp_path, lost):
    run = write_run(tmp_path / "run")
    summary = json.loads((run / "summary.json").read_text())
    *path, name = lost.split(".")
    inner = summary[path[0]] if path else summary
    del inner[name]
    (run / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(UserError, match=f"no finished run .KeyError: '{name}'"):
        write_comparison([write_run(tmp_path / "a"), run], tmp_path / "c.html")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("name", ["summary.json", "pictures.npz", "rows.npz"])
def test_a_run_with_a_torn_file_is_refused(tmp_path, name, share):
    runs = [write_run(tmp_path / n, n) for n in ("a", "b")]
    path = runs[1] / name
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UserError, match="b holds no finished run") as caught:
        write_comparison(runs, tmp_path / "c.html")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "c.html").exists()


def test_a_run_given_twice_is_refused(tmp_path):
    run = write_run(tmp_path / "run")
    with pytest.raises(UserError, match=r"names .*run twice"):
        write_comparison([run, tmp_path / "x" / ".." / "run"], tmp_path / "c.html")


def test_figures_that_are_null_leave_gaps(tmp_path):
    runs = [write_run(tmp_path / n, n, nll) for n, nll in (("a", None), ("b", 2.0))]
    summary = json.loads((runs[0] / "summary.json").read_text())
    summary["test_nll_by_t"]["0.25"] = None
    (runs[0] / "summary.json").write_text(json.dumps(summary))
    assert write_report(runs[0]).exists()
    table = write_comparison(runs, tmp_path / "compare.html")
    assert "| `test_nll_nats` | – | 2 ± 0.1 |" in table
