"""What cannot be used is refused in one line before the work, and writes nothing."""

import json
import logging
from types import SimpleNamespace

import pytest
from ml_collections import ConfigDict

from ambient_jax.errors import UserError
from ambient_jax.experiment import build, command, environment, modes
from ambient_jax.experiment.workdir import Workdir
from ambient_jax.files import check_writable, output_errors, write_json
from configs import em_only

CONFIGS = {
    "import nosuch_module": ":1: ModuleNotFoundError: No module named 'nosuch_module'",
    "def get_config(_=0):\n    return undefined": ":2: NameError: name 'undefined' is",
    "def get_config(_=0):\n    return 1 / 0": ":2: ZeroDivisionError: division by zero",
    "def get_config(_=0):\n    return (": ":2: '(' was never closed",
    "def get_config(_=0):\n    pass": "return a config with a name, not NoneType",
    "def get_config(_=0):\n    return 3": "return a config with a name, not int",
}


@pytest.mark.parametrize("text", CONFIGS)
def test_a_config_file_may_raise_anything(tmp_path, text, capfd):
    level = logging.getLogger("absl").level
    path = tmp_path / "mine.py"
    path.write_text(text)
    try:
        with pytest.raises(UserError) as caught:
            command.parse(["launch.py", f"--config={path}"])
    finally:
        logging.getLogger("absl").setLevel(level)
    message = CONFIGS[text]
    assert (f"{path}{message}" if message[0] == ":" else message) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_config_without_a_field_is_named():
    bare = ConfigDict({"name": "bare"})
    for call in (
        lambda: build.check_numbers(bare),
        lambda: modes._train(SimpleNamespace(config=bare, workdir=None)),
    ):
        with pytest.raises(UserError, match="the config has no 'data'; see base"):
            with modes._absent_fields("the config", "see base"):
                call()


def test_outputs_that_cannot_be_written_are_known_before_the_work(tmp_path):
    check_writable(tmp_path / "new.npz")
    (tmp_path / "folder.npz").mkdir()
    for path in ("/proc/o.npz", tmp_path / "none" / "o.npz", tmp_path / "folder.npz"):
        flags = SimpleNamespace(output=str(path), overwrite=True, mode="sample")
        with pytest.raises(UserError, match=r"cannot be written|does not exist"):
            modes._output(flags)
    with pytest.raises(UserError, match=r"cannot be written .*; give another --output"):
        modes._write(tmp_path / "none" / "o.npz", {})
    with pytest.raises(UserError, match=r"full.npz cannot be written .No space left"):
        with output_errors(tmp_path / "full.npz"):
            raise OSError(28, "No space left on device")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.npz"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "cannot be read: it holds no object"),
        ('{"a', "cannot be read"),
        ("{}", "does not say what the run was trained on"),
        ('{"shape": 3, "num_values": 2, "rows": 4}', "does not say what the run was"),
    ],
)
def test_a_workdir_with_broken_files_is_refused(tmp_path, text, message):
    for name in ("config.json", "data.json"):
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=f"data.json {message}"):
        Workdir(tmp_path).sizes()
    if "does not say" not in message:
        with pytest.raises(UserError, match=f"config.json {message}"):
            Workdir(tmp_path).config()


def test_evaluate_without_checkpoints_writes_nothing(tmp_path):
    config, workdir = tiny(), Workdir(tmp_path / "run")
    made = build.dataset(config)
    workdir.claim(config.to_dict(), made)
    workdir.release()
    (workdir / ".lock").unlink()
    (workdir / "data.json").unlink()
    with pytest.raises(UserError, match="holds no checkpoint yet; train first"):
        modes._evaluate(None, workdir, config)
    with pytest.raises(UserError, match="does not say what the run was trained on"):
        modes.load_model(workdir, config)
    assert [p.name for p in workdir.path.iterdir()] == ["config.json"]
    assert workdir.claim(config.to_dict(), made)  # what trained it mends it
    assert workdir.sizes() == ((8, 8), 2)
    workdir.release()


def tiny():
    config = em_only.get_config("digits")
    config.data.update(num_train=200, num_test=40)
    config.network.update(widths=(8, 8), bottom_blocks=1, num_heads=1)
    return config


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("num_train", 10**6, "config.data.num_train=1000000: there are 1397 rows"),
        ("num_valid", 5000, "config.data.num_valid=5000: must lie in 1..1396"),
        ("num_test", 0, "config.data.num_test=0: there are 400 rows"),
        ("side", 9, "config.data.side=9: the pictures are 8x8; use 2..8"),
        ("missingness", {"name": "mar", "rate": 0.95}, "config.data.missingness: rate"),
        ("dir", "/none", "config.data.dir=/none does not hold train-images"),
    ],
)
def test_wrong_data_are_named_by_their_config_field(field, value, message):
    config = em_only.get_config("mnist" if field == "dir" else "digits")
    if field == "missingness":
        config.data.missingness.update(value)
    else:
        config.data[field] = value
    with pytest.raises(UserError) as caught:
        build.dataset(config)
    assert str(caught.value).startswith(message)


def test_runs_that_cannot_be_compared_are_named_with_the_flags(tmp_path):
    flags = SimpleNamespace(
        compare=["a", "./a"], output=str(tmp_path / "c.html"), overwrite=False
    )
    with pytest.raises(UserError, match=r"^--compare names .*a twice"):
        modes._compare(flags)
    flags.compare = [str(tmp_path)]
    with pytest.raises(UserError, match=r"no finished run .*; finish it with --mode="):
        modes._compare(flags)


def test_strict_json_has_no_nan(tmp_path):
    def refuse(constant):
        raise AssertionError(constant)

    value = {"a": float("nan"), "b": [1.5, float("-inf")], "c": {"d": (1, "x", None)}}
    write_json(tmp_path / "s.json", value, strict=True)
    read = json.loads((tmp_path / "s.json").read_text(), parse_constant=refuse)
    assert read == {"a": None, "b": [1.5, None], "c": {"d": [1, "x", None]}}


def test_only_the_closed_loop_of_a_torn_checkpoint_is_no_traceback(capsys):
    for error in (RuntimeError("Event loop is closed"), RuntimeError("other")):
        environment._uncaught(type(error), error, None)
    assert capsys.readouterr().err.strip() == "RuntimeError: other"
