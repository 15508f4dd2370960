"""The reader of imports, on a small package with bad imports planted in it."""

import pytest

from tests import import_graph

ROOMS = (("base",), ("low",), ("high", "top"))
GOOD = {
    "__init__.py": "",
    "base.py": "import json\n",
    "low/__init__.py": "",
    "low/maths.py": "from house.base import thing\nfrom house import base\n",
    "high.py": "import house.low.maths\n",
    "top.py": "from house.high import f\n",
}


@pytest.fixture
def build(tmp_path):
    """Writes the good package with some of its files replaced; returns its graph."""

    def write(**replaced: str) -> import_graph.Graph:
        files = GOOD | {f"{name.replace('__', '/')}.py": text
                        for name, text in replaced.items()}  # fmt: skip
        for name, text in files.items():
            path = tmp_path / "house" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return import_graph.graph(tmp_path / "house")

    return write


def problems(edges: import_graph.Graph) -> list[str]:
    return import_graph.violations(edges, ROOMS, "house")


def test_a_good_package_passes(build):
    edges = build()
    assert edges["house.low.maths"] == {"house.base"}
    assert edges["house.high"] == {"house.low.maths"}
    assert problems(edges) == []
    assert import_graph.circle(edges) == []


@pytest.mark.parametrize(
    "text",
    [
        "from house.high import f\n",
        "import house.high as other\n",
        "from house import high\n",
        "from ..high import f\n",
        "from .. import high\n",
        "def later():\n    from house.high import f\n",
        "if TYPE_CHECKING:\n    from house import high\n",
        "import importlib\nimportlib.import_module('house.high')\n",
    ],
)
def test_a_planted_import_upwards_is_found(build, text):
    line = "house.low.maths imports house.high, which lies in a higher room"
    edges = build(low__maths=text, high="")
    assert problems(edges) == [line]
    assert import_graph.circle(edges) == []


def test_rooms_of_one_line_may_import_each_other(build):
    assert problems(build(high="from house import top\n", top="")) == []


def test_a_module_without_a_room_is_found(build):
    assert problems(build(stray="import json\n")) == ["house.stray lies in no room"]


def test_the_name_of_a_room_is_not_a_mere_prefix(build):
    assert problems(build(lower="")) == ["house.lower lies in no room"]


def test_what_a_package_exports_is_an_import_of_that_package(build):
    lines = problems(build(low__maths="from house import exported\n"))
    assert lines == ["house lies in no room"]


@pytest.mark.parametrize(
    "text", ["import house.top\n", "def f():\n    import house.top\n"]
)
def test_a_planted_circle_is_found(build, text):
    found = import_graph.circle(build(high=text))
    assert set(found) == {"house.high", "house.top"}
