"""`configs/table.py:FILE`: a completed file, or one line and nothing changed."""

import html
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ambient_jax import AmbientImputer, DiffPuterImputer
from ambient_jax.errors import UserError
from ambient_jax.experiment import table
from configs import diffputer
from configs.table import get_config
from tests.experiment.test_launch import launch


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "id": np.arange(60), "x": np.round(rng.normal(size=60), 3),
        "kind": rng.choice(["u", "v"], 60),
    })  # fmt: skip
    holes = rng.random(frame.shape) < 0.2
    holes[:, 0] = False
    frame.astype(object).mask(holes).to_csv(tmp_path / "in.csv", index=False)
    return tmp_path / "in.csv"


def config(source, **fields):
    made = get_config(str(source))
    made.table.update({"max_epochs": 1, "num_draws": 1, "identifiers": "id"} | fields)
    return made


def diffputer_config(source, **fields):
    made = diffputer.get_config(str(source))
    made.table.update({"num_draws": 1, "identifiers": "id"} | fields)
    made.diffputer.recipe.update(
        iterations=2, steps=5, batch_size=32, width=8, depth=1, num_levels=3,
        resamplings=1, num_draws=2,
    )  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("config", "kind", "told"),
    [
        (config, AmbientImputer, "nats per held-out cell"),
        (diffputer_config, DiffPuterImputer, "loss of the last M-step"),
    ],
)
def test_a_run_leaves_a_completed_file_draws_model_and_report(
    source, tmp_path, config, kind, told
):
    out = tmp_path / "out"
    table.run(config(source), out, overwrite=False)
    assert not (out / "unfinished").exists()
    before = pd.read_csv(source, dtype=str, keep_default_na=False)
    for name in ("completed.csv", "draws/01.csv"):
        after = pd.read_csv(out / name, dtype=str, keep_default_na=False)
        assert after.shape == before.shape
        assert (after != "").all(axis=None)
        assert ((after == before) | (before == "")).all(axis=None)
    assert told in (out / "report.html").read_text()
    again = kind.load(out / "model")
    frame = pd.read_csv(source).drop(columns="id")
    full = pd.read_csv(out / "completed.csv").drop(columns="id")
    pd.testing.assert_frame_equal(again.transform(frame), full)
    with pytest.raises(UserError, match=r"holds completed\.csv.*--overwrite"):
        table.run(config(source), out, overwrite=False)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"categorical": "nope"}, "categorical names column 'nope'"),
        ({"delta": "x"}, "not name=number"),
        ({"delta": "nope=1"}, "delta names column 'nope'"),
        ({"statistic": "best"}, "statistic must be one of"),
        ({"identifiers": "id,x,kind"}, "leaves no column"),
        ({"delta": "kind=1"}, "which holds categories"),
    ],
)
def test_bad_fields_are_refused_before_anything_is_written(
    source, tmp_path, fields, message
):
    with pytest.raises(UserError, match=message):
        table.run(config(source, **fields), tmp_path / "out", overwrite=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("section", "field", "value", "message"),
    [
        ("recipe", "iterations", 0, "recipe: iterations must be at least 1"),
        ("recipe", "width", 7, "recipe: width must be even"),
        ("recipe", "sigma_max", 0.0, "sigma_max"),
        ("recipe", "ema_decay", 1.0, "ema_decay"),
    ],
)
def test_bad_sizes_of_diffputer_are_refused_before_anything_is_written(
    source, tmp_path, section, field, value, message
):
    made = diffputer_config(source)
    made.diffputer[section][field] = value
    with pytest.raises(UserError, match=message) as caught:
        table.run(made, tmp_path / "out", overwrite=False)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_table_ends_with_code_2(tmp_path):
    np.savez(tmp_path / "in.npz", x=np.zeros((3, 2)))
    code, _, err = launch(
        f"--config=configs/diffputer.py:{tmp_path / 'in.npz'}",
        f"--workdir={tmp_path / 'out'}",
    )
    assert (code, len(err.splitlines()), ".csv" in err) == (2, 1, True)
    assert not (tmp_path / "out").exists()


def test_a_refused_fit_changes_nothing(source, tmp_path):
    text = source.read_text()
    source.write_text(text + "60,inf,u\n")
    (tmp_path / "there").mkdir()
    for out in (tmp_path / "a" / "b", tmp_path / "there"):
        with pytest.raises(UserError, match=r"infinity.*'x'"):
            table.run(config(source), out, overwrite=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", "there"]
    source.write_text(text)
    table.run(config(source), tmp_path / "there", overwrite=False)
    source.write_text(text + "60,inf,u\n")
    with pytest.raises(UserError, match="infinity"):
        table.run(config(source), tmp_path / "there", overwrite=True)
    assert (tmp_path / "there/draws/01.csv").is_file()


@pytest.mark.slow
def test_a_shift_that_is_refused_after_the_fit_keeps_the_fit(source, tmp_path):
    frame = pd.read_csv(source)
    frame["whole"] = pd.array([3, None, 5] * 20, "Int64")
    frame.to_csv(source, index=False)
    out = tmp_path / "out"
    with pytest.raises(UserError, match="whole"):
        table.run(config(source, delta="whole=1e30"), out, overwrite=False)
    assert [path.name for path in out.iterdir()] == ["unfinished"]
    table.run(config(source, delta="whole=2"), out, overwrite=False)
    assert (out / "completed.csv").is_file()


def test_a_warning_of_the_fit_is_one_line(source, tmp_path, capsys):
    frame = pd.read_csv(source).assign(void=np.nan)
    frame.to_csv(source, index=False)
    table.run(config(source), tmp_path / "out", overwrite=False)
    lines = [x for x in capsys.readouterr().err.splitlines() if "warning" in x]
    assert len(lines) == 1
    assert lines[0].startswith("warning: columns without any observed value")


def test_dates_of_a_csv_are_imputed_as_dates(tmp_path, capsys):
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 60), "D")
    frame = pd.DataFrame({
        "day": days.strftime("%d.%m.%Y"), "x": rng.normal(size=60),
        "sum": ["7", *(f"{i}%" for i in rng.integers(0, 9, 59))],
    })  # fmt: skip
    frame.loc[::4, "day"] = None
    frame.to_csv(tmp_path / "in.csv", index=False)
    fields = config(tmp_path / "in.csv", identifiers="", delta="day=1")
    table.run(fields, tmp_path / "out", overwrite=False)
    full = pd.read_csv(tmp_path / "out/completed.csv")
    told = pd.to_datetime(full["day"], format="%d.%m.%Y")
    assert told.between("2024-01-01", "2024-12-31").all()
    assert (full["day"][frame["day"].notna()] == frame["day"].dropna()).all()
    note = "column 'sum' is read as text"
    assert f"warning: {note}" in capsys.readouterr().err
    assert note in html.unescape((tmp_path / "out/report.html").read_text())


def test_what_could_not_be_saved_is_refused_before_the_fit(tmp_path):
    cells = [None if i % 5 == 0 else uuid.UUID(int=i % 3).bytes for i in range(60)]
    parquet = pa.table({"x": np.arange(60.0), "who": pa.array(cells, pa.uuid())})
    pq.write_table(parquet, tmp_path / "in.parquet")
    fields = config(tmp_path / "in.parquet", identifiers="")
    with pytest.raises(UserError, match=r"column 'who'.*UUID.*cannot be saved"):
        table.run(fields, tmp_path / "out", overwrite=False)
    assert not (tmp_path / "out").exists()
    fields = config(tmp_path / "in.parquet", identifiers="who")
    table.run(fields, tmp_path / "out", overwrite=False)
    assert (tmp_path / "out/completed.parquet").exists()


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="after the colon"):
        table.run(get_config(""), tmp_path, overwrite=False)


def test_a_file_without_holes_is_copied(tmp_path, capsys):
    (tmp_path / "full.csv").write_text("x,y\n1,a\n2,b\n")
    made = get_config(str(tmp_path / "full.csv"))
    table.run(made, tmp_path / "out", overwrite=False)
    assert "no cell is missing" in capsys.readouterr().out
    assert (tmp_path / "out/completed.csv").read_text() == "x,y\n1,a\n2,b\n"
