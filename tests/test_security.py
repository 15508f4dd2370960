"""Files that hold a pickle are refused, and what it would run is not run."""

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ambient_jax as aj
from ambient_jax.data.continuous_npz import read_continuous
from ambient_jax.data.npz import read_npz
from ambient_jax.errors import UserError
from ambient_jax.files import digest
from ambient_jax.report.record import read_record
from ambient_jax.training.checkpoint import Checkpoints
from tests.report.test_page import write_run
from tests.training.test_checkpoint import in_round, saved, start  # noqa: F401


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "was_run"


@pytest.fixture
def payload(mark):
    """Pickled bytes; that they would run is tried here, for each test."""
    made = pickle.dumps(Payload(mark))
    pickle.loads(made)
    assert mark.exists()
    mark.unlink()
    return made


def write_archive(path, payload, names=("x",), **plain):
    """An `.npz` whose arrays of objects hold the payload."""
    header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    np.savez(path, **plain)
    with zipfile.ZipFile(path, "a") as archive:
        for name in names:
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array_header_1_0(file, header)
                file.write(payload)


@pytest.mark.parametrize("read", [read_npz, read_continuous, aj.load_data])
@pytest.mark.parametrize("whole", [True, False], ids=["a pickle", "an object array"])
def test_an_archive_with_a_pickle_is_refused(tmp_path, payload, mark, read, whole):
    path = tmp_path / "rows.npz"
    if whole:
        path.write_bytes(payload)
    else:
        write_archive(path, payload)
    with pytest.raises(UserError, match="cannot be read"):
        read(str(path))
    assert not mark.exists()


def test_the_folder_of_a_run_with_a_pickle_is_refused(tmp_path, payload, mark):
    for name in ("pictures", "rows"):
        run = write_run(tmp_path / name)
        write_archive(run / f"{name}.npz", payload)
        with pytest.raises(UserError, match="no finished run"):
            read_record(run)
    assert not mark.exists()


@pytest.mark.parametrize("file", ["model.json", "model.npz", "both"])
def test_a_model_with_a_pickle_is_refused(tmp_path, payload, mark, file):
    data = aj.load_data(np.random.default_rng(0).integers(-1, 2, (40, 4)))
    network = aj.build_denoiser(data, width=8, depth=1, num_heads=1)
    import jax

    params = network.init(jax.random.key(0))
    folder = tmp_path / "model"
    aj.Model(denoiser=network, params=params, shape=(4,)).save(folder)
    plant(folder, payload, file)
    with pytest.raises(UserError, match="damaged or foreign"):
        aj.Model.load(folder)
    assert not mark.exists()


@pytest.mark.parametrize("file", ["model.json", "model.npz", "both"])
def test_an_imputer_with_a_pickle_is_refused(tmp_path, payload, mark, file):
    empty = pd.DataFrame({"a": [np.nan, np.nan], "b": [np.nan, np.nan]})
    with pytest.warns(UserWarning, match="observed"):
        imputer = aj.AmbientImputer(random_state=0).fit(empty)  # nothing to learn
    folder = tmp_path / "model"
    imputer.save(folder)
    plant(folder, payload, file)
    with pytest.raises(ValueError, match="damaged or foreign"):
        aj.AmbientImputer.load(folder)
    assert not mark.exists()


def plant(folder, payload, file):
    """Puts the payload in place of a file; `both`: under a digest that agrees."""
    if file != "both":
        (folder / file).write_bytes(payload)
        return
    write_archive(folder / "model.npz", payload, ("params/x", "calibration/pooled"))
    fields = json.loads((folder / "model.json").read_text())
    fields["npz_sha256"] = digest((folder / "model.npz").read_bytes())
    (folder / "model.json").write_text(json.dumps(fields))


def test_a_checkpoint_whose_files_are_pickles_is_skipped(
    saved, start, tmp_path, payload, mark  # noqa: F811
):  # fmt: skip
    folder = shutil.copytree(saved, tmp_path / "checkpoints")
    for path in (folder / "1").rglob("*"):
        if path.is_file():
            path.write_bytes(payload)
    checkpoints = Checkpoints(folder, 2, read_only=True)
    found = checkpoints.restore(start)
    checkpoints.close()
    assert found.position == in_round(start, 0).position
    assert not mark.exists()


def test_no_module_unpickles():
    """`allow_pickle=True`, and modules that load pickles, stand nowhere."""
    for path in Path(aj.__file__).parent.rglob("*.py"):
        text = path.read_text()
        assert "allow_pickle=True" not in text, path
        for module in ("pickle", "cloudpickle", "dill", "joblib", "shelve"):
            assert f"import {module}" not in text, path
            assert f"from {module}" not in text, path
