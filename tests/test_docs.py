"""The pages of the documentation: their code runs, their links lead somewhere.

The code of a page is one program, whose blocks run in their order in an empty folder.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PROGRAMS = sorted([DOCS / "tutorial.md", *(DOCS / "howto").glob("*.md")])

FENCE = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]+))?\)")

HALF_HOUR = {"network": 40, "missingness": 20, "pictures": 20}
"""Lines that the first part of one's own may have, by page."""


def blocks(page):
    """Language and source of each block of code; plain blocks are not run."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def lines_of(source):
    return [line for line in source.splitlines() if line.strip()]


def launch(line, folder):
    """Runs one line of a shell, in which `ambient-jax` is this checkout's command."""
    program, *rest = shlex.split(line)
    assert program == "ambient-jax", line
    done = subprocess.run(
        [sys.executable, str(ROOT / "launch.py"), *rest], cwd=folder,
        capture_output=True, text=True, check=False,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_kind_of_page_is_there():
    assert len(PROGRAMS) == 10
    for page in PROGRAMS:
        assert blocks(page), f"{page.name} shows no code"


@pytest.mark.slow
@pytest.mark.timeout(1200)  # on a machine that others use
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", PROGRAMS, ids=lambda page: page.stem)
def test_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    names = {"__name__": "page"}
    monkeypatch.setitem(sys.modules, "page", type(sys)("page"))
    for language, source in blocks(page):
        if language == "python":
            exec(compile(source, str(page), "exec"), names)
        else:
            for line in lines_of(source):
                launch(line, tmp_path)


@pytest.mark.parametrize("name", HALF_HOUR)
def test_a_part_of_ones_own_is_short(name):
    """The block that a newcomer writes, without the one that only tries it."""
    first = blocks(DOCS / "howto" / f"{name}.md")[0 if name != "pictures" else 1][1]
    assert len(lines_of(first)) < HALF_HOUR[name]


def pages():
    return sorted(DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(DOCS)))
def test_links_lead_to_files(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target, _ in LINK.findall(text):
        if not target.startswith(("http", "mailto")):
            assert (page.parent / target).resolve().exists(), target


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text()
    for page in pages():
        assert str(page.relative_to(DOCS)) in text
