"""What installing the package gives: requirements, configs, the command, light imports.

`.ci/distribution` builds the wheel and uses it; here is what needs no installation.
"""

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import ambient_jax
from ambient_jax.errors import UserError
from ambient_jax.experiment.arguments import COMMANDS, config_files, expanded
from ambient_jax.experiment.manual import page

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

HEAVY = (
    "jax", "flax", "optax", "orbax", "matplotlib", "jinja2", "tensorboardX",
    "tensorflow_datasets", "array_record", "pandas", "sklearn", "scipy", "pyarrow",
)  # fmt: skip


def imported(statement):
    """Which of the heavy packages a new process holds after a statement."""
    code = f"import sys\n{statement}\nprint(*(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
        check=True,
    )  # fmt: skip
    return set(done.stdout.split())


LIGHT = {
    "import ambient_jax": set(),
    "from ambient_jax.experiment import command, manual": set(),
    "from ambient_jax import AmbientImputer, pool": (
        {"pandas", "sklearn", "scipy", "pyarrow"}
    ),
}


@pytest.mark.parametrize("statement", LIGHT)
def test_what_is_not_used_is_not_imported(statement):
    assert imported(statement) <= LIGHT[statement]


def test_training_by_name_of_no_picture_set_needs_neither_tfds_nor_tensorboard():
    found = imported("from ambient_jax.experiment import modes")
    assert not found & {"tensorflow_datasets", "array_record", "tensorboardX"}


def test_requirements_are_the_core_and_the_extras_of_runs():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    extras = PROJECT["optional-dependencies"]
    parts = [*PROJECT["dependencies"], *extras["pictures"], *extras["tensorboard"]]
    assert sorted(lines, key=str.lower) == sorted(parts, key=str.lower)


def test_the_extra_for_developers_is_the_list_for_developers():
    first, *lines = (ROOT / "requirements-dev.txt").read_text().splitlines()
    assert first == "-r requirements.txt"
    extras = PROJECT["optional-dependencies"]
    assert sorted(lines) == sorted(
        set(extras["dev"]) - {"ambient_jax[pictures,tensorboard]"}
    )


def test_the_lock_has_every_requirement_within_its_bounds():
    locked = dict(
        line.split("==")
        for line in (ROOT / "requirements-lock.txt").read_text().splitlines()
        if "==" in line
    )
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / file).read_text().splitlines():
            if not line.startswith("-r"):
                wanted = Requirement(line)
                name = re.sub(r"[-_.]+", "-", wanted.name).lower()
                assert wanted.specifier.contains(locked[name]), line


def test_the_version_is_that_of_the_citation_and_of_the_changelog():
    version = ambient_jax.__version__
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("name", config_files())
def test_a_config_is_part_of_the_package(name):
    """The wheel has no top-level `configs`: nothing in a config may import it."""
    assert not re.search(r"^(from|import) configs\b", config_files()[name].read_text(),
                         re.MULTILINE)  # fmt: skip
    module = import_module(f"ambient_jax.configs.{name}")
    assert module.get_config("digits").name


def test_names_stand_for_the_paths_of_configs():
    path = config_files()["em_only"]
    for flags in (["--config=em_only:a.npz"], ["--config", "em_only:a.npz"]):
        assert f"{path}:a.npz" in "=".join(expanded(["x", "train", *flags]))
    assert expanded(["x", "--config=launch.py"])[1] == "--config=launch.py"


COMMAND_LINES = {
    "sample --num=3": ["--mode=sample", "--num=3"],
    "compare a b --output=c.html": ["--compare=a,b", "--output=c.html"],
    "--mode=train": ["--mode=train"],
    "impute --workdir=run": ["--mode=impute", "--workdir=run"],
}


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_a_command_stands_for_flags(line):
    assert expanded(["x", *line.split()])[1:] == COMMAND_LINES[line]


def test_a_table_is_completed_by_its_config():
    config, workdir = expanded(["x", "impute", "table", "d.csv", "--workdir=o"])[1:]
    assert config == f"--config={config_files()['table']}:d.csv"
    assert workdir == "--workdir=o"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fly", "there is no command 'fly'"),
        ("train --config=em_onyl", "did you mean 'em_only'"),
        ("train --config=configs/nothing.py", "no such file or config"),
        ("impute table", "give one file"),
        ("compare --output=a.html", "give folders"),
    ],
)
def test_a_command_that_cannot_be_is_refused(line, message):
    with pytest.raises(UserError, match=message):
        expanded(["x", *line.split()])


def test_help_names_every_command_and_every_config():
    from ambient_jax.experiment.command import FLAGS

    whole = page(["ambient-jax", "--help"], FLAGS)
    assert page(["ambient-jax"], FLAGS) == whole
    for name in (*COMMANDS, *config_files()):
        assert re.search(rf"^  {re.escape(name)}\s", whole, re.MULTILINE), name
    for command, (_, names) in COMMANDS.items():
        text = page(["ambient-jax", *command.split(), "--help"], FLAGS)
        assert all(f"--{name}" in text for name in names)
    source = config_files()["em_only"].read_text()
    assert source in page(["ambient-jax", "help", "em_only"], FLAGS)
    assert page(["ambient-jax", "train", "--config=em_only"], FLAGS) is None
    assert ambient_jax.__version__ in page(["ambient-jax", "--version"], FLAGS)


def test_without_tfds_mnist_names_the_extra(monkeypatch):
    from ambient_jax.data.ambient_mnist import download

    name = "ambient_jax.data.ambient_mnist.ambient_mnist"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UserError, match=r"tensorflow_datasets is not .*\[pictures\]"):
        download.load()


def test_without_tensorboard_nothing_is_written(monkeypatch, tmp_path):
    from ambient_jax.report import tensorboard

    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda _: None)
    board = tensorboard.TensorBoard(tmp_path / "tb", 0)
    board.scalars(0, {"a": 1.0})
    board.close()
    assert not (tmp_path / "tb").exists()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an export without history")
def test_an_installed_package_is_not_part_of_the_repository_around_it(
    monkeypatch, tmp_path
):
    from ambient_jax.experiment import environment

    assert environment.git_revision() is not None
    for command in ("init -q", "-c user.name=a -c user.email=a@b commit -q "
                    "--allow-empty -m a"):  # fmt: skip
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    (tmp_path / "environment.py").write_text("")
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "environment.py"))
    assert environment.git_revision() is None
