"""The notebooks run from top to bottom, show pictures, and hold no outputs in git."""

import json
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_SECONDS = 300
"""Five minutes on two cores."""


def cells_of(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def test_there_are_notebooks_for_pictures_and_tables():
    assert [path.stem for path in NOTEBOOKS] == ["pictures", "tables"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path):
    for cell in cells_of(path):
        assert not cell.get("outputs"), cell["id"]
        assert cell.get("execution_count") is None, cell["id"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_cells_open_it_in_colab_and_install(path):
    badge, install, *_ = ("".join(cell["source"]) for cell in cells_of(path))
    assert "colab.research.google.com/github/" in badge
    assert badge.count(f"notebooks/{path.name}") == 1
    assert "%pip install" in install
    assert "find_spec" in install  # nothing is installed over what is there


@pytest.mark.slow
@pytest.mark.timeout(4 * MAX_SECONDS)
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_pictures(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel shows its pictures
    notebook = nbformat.read(path, as_version=4)
    before = os.times()
    nbclient.NotebookClient(
        notebook, timeout=4 * MAX_SECONDS, kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()  # fmt: skip
    after = os.times()
    spent = sum(after[2:4]) - sum(before[2:4])  # processor time of the kernel
    pictures = sum(
        "image/png" in output.get("data", {})
        for cell in notebook.cells if cell.cell_type == "code"
        for output in cell.outputs
    )  # fmt: skip
    assert pictures >= 2
    assert spent < MAX_SECONDS
