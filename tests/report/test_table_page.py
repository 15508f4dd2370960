"""The report of a table, and its test of missingness that depends on other columns."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from ambient_jax.report import table_figures
from ambient_jax.report.missingness import dependences
from ambient_jax.report.table_page import TableReport, pairs, write_table_report


def table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pd.DataFrame({
        "x": x, "y": x + rng.normal(size=n), "kind": rng.choice(["a", "b"], n),
    })  # fmt: skip


def report_of(holes, full):
    return TableReport(
        name="t", observed=holes, completed=full, draw=full, outcome="", history=(),
        levels=np.zeros(0), seconds=0.0,
    )  # fmt: skip


def test_missingness_that_depends_is_found_and_mcar_is_not():
    whole, rng = table(), np.random.default_rng(1)
    random = whole.mask(rng.random(whole.shape) < 0.2)
    assert not any(d.depends for d in dependences(random))
    whole.loc[whole["x"] > 0.5, "y"] = np.nan
    found = {d.column: d for d in dependences(whole)}
    assert found["y"].depends
    assert found["y"].other == "x"


def test_false_alarms_are_rare():
    """Level 1 % per column: at most a few of 60 tables of pure chance."""
    alarms = 0
    for seed in range(60):
        whole, rng = table(150, seed), np.random.default_rng(seed)
        alarms += dependences(whole.mask(rng.random(whole.shape) < 0.3))[1].depends
    assert alarms <= 4


def test_pairs_report_what_changed():
    frame = table()
    holes = frame.mask(np.random.default_rng(0).random(frame.shape) < 0.5)
    wrong = holes.assign(y=holes["y"].fillna(0.0), x=holes["x"].fillna(0.0))
    report = report_of(holes, wrong)
    ((one, other, before, after),) = pairs(report)
    assert {one, other} == {"x", "y"}
    assert after < before


def test_dates_are_numbers_in_tests_pairs_and_pictures():
    """Not categories: a test and a correlation see their order."""
    frame = table()
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta((30 * frame["x"]).round(), "D")
    objects = pd.Series(days.dt.date, dtype=object)
    for dates in (days, days.dt.tz_localize("Europe/Berlin"), objects):
        holes = pd.DataFrame({"day": dates, "y": frame["y"]})
        holes.loc[frame["x"] > 0.5, "y"] = np.nan
        holes.loc[::3, "day"] = None
        (_, found) = dependences(holes)
        assert found.depends
        assert found.other == "day"
        wrong = holes.fillna({"y": 0.0})
        wrong["day"] = wrong["day"].where(wrong["day"].notna(), dates.iloc[0])
        report = report_of(holes, wrong)
        assert {p[:2] for p in pairs(report)} == {("day", "y")}
        figure = table_figures.distributions(holes, wrong)
        labels = [t.get_text() for t in figure.axes[0].get_xticklabels()]
        assert len(labels) <= 8
        assert any(label in ("Jan", "Feb", "2024") for label in labels)


@pytest.mark.parametrize(
    "cells",
    [
        [[1], [2, 3]], [{"a": 1}, {"b": 2}], [b"\xff", b"\xfe"], [10**400, 1],
        [dt.date(1, 1, 1), dt.date(9999, 12, 31)], [-1.7e308, 1.7e308], [np.inf, 1.0],
        list(pd.to_datetime(["9999-12-31", "2024-01-01"]).as_unit("us")),
    ],
)  # fmt: skip
def test_odd_columns_do_not_cost_the_page(tmp_path, cells):
    """Those that are only copied may hold anything."""
    odd = pd.Series([cells[i % 2] if i % 5 else None for i in range(400)])
    holes = table().assign(odd=odd)
    holes.loc[::3, "x"] = np.nan
    full = holes.assign(
        x=holes["x"].fillna(0.0), odd=[cells[i % 2] for i in range(400)]
    )
    report = report_of(holes, full)
    write_table_report(tmp_path / "r.html", report)
    assert "odd" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize("levels", [np.zeros(0), np.linspace(0, 1, 50)])
def test_page_is_whole_and_escapes_names(tmp_path, levels):
    frame = table().rename(columns={"x": "<b>x</b>"})
    holes = frame.mask(np.random.default_rng(0).random(frame.shape) < 0.3)
    holes["void"] = np.nan
    write_table_report(
        tmp_path / "report.html",
        TableReport(
            name="t.csv", observed=holes, completed=frame.assign(void=np.nan),
            draw=frame.assign(void=np.nan), outcome="2.500 nats per <cell>",
            history=(2.7, 2.5),
            levels=levels, seconds=1.0,
        ),
    )  # fmt: skip
    page = (tmp_path / "report.html").read_text()
    assert "<b>x</b>" not in page
    assert "2.500 nats per &lt;cell&gt;" in page
    assert "void: no cell is observed" in page
    assert ('id="calibration"' in page) == bool(len(levels))
    assert "http" not in page.replace("http://www.w3.org", "")
