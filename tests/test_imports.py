"""The structure of the code: order of imports, no circles, packages used, sizes.

Nothing is imported here: the files are parsed, so that imports inside functions count.
"""

import ast
import functools
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests import import_graph
from tests.import_graph import is_below

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ambient_jax"

ROOMS = (
    ("version", "types", "errors", "nesting", "files", "compilation", "keys", "mesh",
     "family"),
    ("diffusion",),
    ("networks",),
    ("priors",),
    ("data",),
    ("inference",),
    ("training",),
    ("assembly",),
    ("evaluation",),
    ("model",),
    ("tabular.frames",),
    ("tabular.text",),
    ("tabular.columns",),
    ("tabular.linear",),
    ("tabular.fitting",),
    ("tabular.gaussian",),
    ("tabular.predictive",),
    ("tabular.model",),
    ("tabular.joint", "tabular.drawing", "tabular.held_out_cells", "tabular.scoring"),
    ("tabular.calibration", "tabular.mixing"),
    ("tabular.completion", "tabular.learning"),
    ("tabular.interface",),
    ("tabular.files", "tabular.pooling", "tabular.saving"),
    ("tabular.imputer", "tabular.diffputer"),
    ("report",),
    ("configs",),
    ("experiment",),
    ("api",),
)  # fmt: skip
"""The rooms below `ambient_jax/`, from the lowest to the highest.

A module imports only from its own line and from the lines above it in this list.
"""

QUOTED_IN = ("CONTRIBUTING.md",)
"""Documents that quote `ROOMS`, as one line for each room."""

ALLOWED = {
    "flax": ("networks",),
    "orbax": ("training.checkpoint",),
    "tensorflow_datasets": ("data.ambient_mnist",),
    "ml_collections": ("experiment",),
    "ambient_jax.diffusion.gaussian": (
        "diffusion.gaussian", "networks", "inference", "assembly", "tabular",
        "experiment",
    ),
    "ambient_jax.diffusion.masked": (
        "diffusion.masked", "inference", "assembly", "model", "tabular", "experiment",
        "api",
    ),
}  # fmt: skip
"""Packages that only some rooms may import, so that the others do without them.

Training and evaluation serve every diffusion family, and know none of them by name.
"""

INDIRECT = {
    "array-record": (
        "tensorflow-datasets",
        "tensorflow_datasets/core/utils/lazy_imports_utils.py",
    ),
    "importlib-resources": (
        "tensorflow-datasets",
        "tensorflow_datasets/core/dataset_builder.py",
    ),
}
"""Requirements that only another requirement imports: its name and the importing file.

TensorFlow Datasets reads the prepared MNIST from ArrayRecord files. It imports
`importlib_resources` on every Python but declares it for Python below 3.9 only.
"""

PLUGINS = {
    "ipykernel": ("tests/test_notebooks.py", 'kernel_name="python3"'),
    "mkdocs-material": ("mkdocs.yml", "name: material"),
    "mkdocstrings": ("mkdocs.yml", "- mkdocstrings:"),
    "beartype": ("tests/conftest.py", "beartype.beartype"),
    "pytest-timeout": ("pyproject.toml", "\ntimeout ="),
    "pytest-xdist": ("pyproject.toml", "--dist"),
}
"""Development packages that are used by an option: the file and the option."""

MAX_FILE_LINES = 260
MAX_FUNCTION_LINES = 60


imports_of = functools.cache(import_graph.imports_of)


@functools.cache
def imports(*folders: str) -> set[str]:
    """Returns the top-level packages that the Python files of `folders` import."""
    files = [
        path
        for folder in folders
        for path in ([ROOT / folder] if folder.endswith(".py")
                     else (ROOT / folder).rglob("*.py"))
    ]  # fmt: skip
    names = {name for path in files for name in imports_of(path)}
    return {name.partition(".")[0] for name in names}


@functools.cache
def package_graph() -> import_graph.Graph:
    return import_graph.graph(PACKAGE)


@functools.cache
def import_names() -> dict[str, set[str]]:
    """Maps each installed distribution to the packages that it provides."""
    names: dict[str, set[str]] = {}
    for package, distributions in metadata.packages_distributions().items():
        for distribution in distributions:
            names.setdefault(normalized(distribution), set()).add(package)
    return names


def normalized(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def required(file: str) -> list[str]:
    """Returns the distributions that a requirements file lists itself."""
    lines = (ROOT / file).read_text().splitlines()
    names = [re.match(r"[A-Za-z0-9._-]+", line) for line in lines if line[:1] != "-"]
    return [normalized(name[0]) for name in names if name]


def test_modules_import_from_their_own_room_and_lower_ones_only():
    assert import_graph.violations(package_graph(), ROOMS, "ambient_jax") == []


def test_every_room_exists():
    names = [name for room in ROOMS for name in room]
    known = package_graph()
    assert [name for name in names if f"ambient_jax.{name}" not in known] == []


def test_there_is_no_circle_of_imports():
    assert import_graph.circle(package_graph()) == []


@pytest.mark.parametrize("document", QUOTED_IN)
def test_the_order_is_quoted_as_it_is(document):
    quoted = "\n".join(", ".join(room) for room in ROOMS)
    assert f"\n{quoted}\n" in (ROOT / document).read_text()


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_is_imported_where_it_is_allowed_only(package):
    files = import_graph.modules(PACKAGE)
    importers = {
        name.removeprefix("ambient_jax.")
        for name, path in files.items()
        if any(is_below(target, package)
               for target in imports_of(path, name))
    }  # fmt: skip
    outside = {
        name for name in importers
        if not any(is_below(name, room) for room in ALLOWED[package])
    }  # fmt: skip
    assert outside == set()
    assert importers, "nothing imports it any more: take it out of ALLOWED"


def test_each_requirement_is_imported():
    used = imports("ambient_jax", "configs", "launch.py")
    idle = {
        name
        for name in required("requirements.txt")
        if not used & import_names()[name] and name not in INDIRECT
    }
    assert idle == set()


def test_each_import_is_required():
    used = imports("ambient_jax", "configs", "launch.py")
    listed = {p for name in required("requirements.txt") for p in import_names()[name]}
    own = {"ambient_jax", "configs"}
    assert used - listed - own - sys.stdlib_module_names == set()


@pytest.mark.parametrize("name", INDIRECT)
def test_an_indirect_requirement_is_imported_by_another_one(name):
    importer, file = INDIRECT[name]
    assert {name, importer} <= set(required("requirements.txt"))
    path = Path(str(metadata.distribution(importer).locate_file(file)))
    found = {dotted.partition(".")[0] for dotted in import_graph.imports_of(path)}
    assert found & import_names()[name]
    assert not imports("ambient_jax") & import_names()[name], "no longer indirect"


def test_each_development_requirement_is_used():
    used = imports("tests", "benchmarks", "examples", "docs")
    tools = [".ci/run", "pyproject.toml", ".pre-commit-config.yaml"]
    commands = "".join((ROOT / file).read_text() for file in tools)
    idle = {
        name
        for name in required("requirements-dev.txt")
        if not used & import_names()[name]
        and not re.search(rf"^\W*{re.escape(name)}\b", commands, re.MULTILINE)
        and name not in PLUGINS
    }
    assert idle == set()
    for file, option in PLUGINS.values():
        assert option in (ROOT / file).read_text()


def test_files_and_functions_are_short():
    long = []
    for name, path in import_graph.modules(PACKAGE).items():
        text = path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > MAX_FILE_LINES:
            long.append(f"{name}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long.append(f"{name}.{node.name}: {lines} lines")
    assert long == []
