"""A checkpoint of which anything is torn is skipped with a line, never a traceback."""

import dataclasses
import shutil

import numpy as np
import pytest

from ambient_jax.data.dataset import IncompleteData
from ambient_jax.errors import UserError
from ambient_jax.training.checkpoint import Checkpoints
from ambient_jax.training.progress import Position
from tests.training.test_trainer import bits, trainer_of


@pytest.fixture(scope="module")
def start(mesh):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 3, (40, 3)).astype(np.uint8)
    data = IncompleteData(tokens=tokens, shape=(3,), num_values=2)
    return trainer_of(data, mesh).start()


def in_round(progress, number):
    """Its completions are its own, so that a mixture would be seen."""
    return dataclasses.replace(
        progress,
        completions=np.full_like(progress.completions, number),
        position=Position(round=number),
    )


@pytest.fixture(scope="module")
def saved(start, tmp_path_factory):
    """Two checkpoints; the newer one, 1, is the better one."""
    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    checkpoints = Checkpoints(folder, keep=2)
    for number in (0, 1):
        checkpoints.save(in_round(start, number), 5.0 - number)
    checkpoints.close()
    return folder


def copied(saved, tmp_path):
    shutil.rmtree(tmp_path / "checkpoints", ignore_errors=True)
    return shutil.copytree(saved, tmp_path / "checkpoints")


def test_each_file_torn_or_gone_in_turn(saved, start, tmp_path, caplog):
    skipped = []
    files = [p.relative_to(saved) for p in (saved / "1").rglob("*") if p.is_file()]
    for file in files:
        for share in (0.5, None):
            path = copied(saved, tmp_path) / file
            content = path.read_bytes()
            path.unlink()
            if share is not None:
                path.write_bytes(content[: int(share * len(content))])
            caplog.clear()
            checkpoints = Checkpoints(tmp_path / "checkpoints", 2, read_only=True)
            found = checkpoints.require(start, best=True)
            expected = in_round(start, found.position.round)
            for a, b in zip(bits(found), bits(expected), strict=True):
                assert np.array_equal(a, b), (file, share)
            lines = [m for m in caplog.messages if "is torn" in m]
            assert len(lines) == (found.position.round == 0), (file, share)
            if lines:
                skipped.append(file.parts[1])
    assert {"state", "completions", "position", "metrics"} <= set(skipped)


@pytest.mark.parametrize("file", ["metrics/metrics", "position/metadata"])
def test_a_run_goes_on_from_the_whole_one_and_saves_again(saved, start, tmp_path, file):
    path = copied(saved, tmp_path) / "1" / file
    path.write_text('{"sco')
    checkpoints = Checkpoints(path.parents[2], 2)
    found = checkpoints.restore(start)
    assert found.position.round == 0
    assert (tmp_path / "torn-checkpoint-1").is_dir()
    checkpoints.save(in_round(start, 3), 1.0)
    assert checkpoints.restore_best(start).position.round == 3
    checkpoints.close()


def test_without_a_whole_one_it_is_one_line(saved, start, tmp_path, caplog):
    def refusal(folder):
        with pytest.raises(UserError) as caught:
            Checkpoints(folder, 1, read_only=True).require(start, best=True)
        return str(caught.value)

    assert "holds no checkpoint yet; train first" in refusal(tmp_path / "none")
    for number in (0, 1):
        (tmp_path / "empty" / str(number)).mkdir(parents=True)
    assert "can be read (checkpoint 1: " in refusal(tmp_path / "empty")
    other = dataclasses.replace(start, completions=start.completions[:7])
    with pytest.raises(UserError, match=r"completions have shape \(40, 3\)"):
        Checkpoints(saved, 1, read_only=True).require(other)
    assert "torn" not in caplog.text
    assert not (tmp_path / "none").exists()
