"""A fit that was killed goes on where it stood, and ends as if it never was."""

import jax
import numpy as np
import pandas as pd
import pytest

from ambient_jax import AmbientImputer, Recipe
from ambient_jax.experiment import table
from ambient_jax.training.checkpoint import Checkpoints
from configs.table import get_config

SMALL = Recipe(
    width=8, depth=1, embed=2, max_epochs=12, batch_size=32, rounds=6, em_start=0.5,
    patience=2, members=1,
)  # fmt: skip


class Killed(BaseException):
    """Ends a fit where a kill would."""


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    made = pd.DataFrame(x @ rng.normal(size=(3, 3)), columns=list("abc"))
    return made.mask(rng.random(made.shape) < 0.3)


def fitted(frame, folder=None, seed=0, **settings):
    imputer = AmbientImputer(
        recipe=SMALL, random_state=seed, checkpoint_dir=folder, **settings
    )
    return imputer.fit(frame)


def same(a, b):
    leaves = zip(jax.tree.leaves(a.model_.params), jax.tree.leaves(b.model_.params),
                 strict=True)  # fmt: skip
    return all(np.array_equal(x, y) for x, y in leaves) and a.history_ == b.history_


@pytest.mark.parametrize("rounds", [1, 4])
def test_a_killed_fit_ends_bitwise_the_same(frame, tmp_path, monkeypatch, rounds):
    whole = fitted(frame)
    real, done = Checkpoints.save, []

    def save(self, progress, score):
        real(self, progress, score)
        done.append(progress.position.round)
        if len(done) == rounds:
            raise Killed

    monkeypatch.setattr(Checkpoints, "save", save)
    with pytest.raises(Killed):
        fitted(frame, tmp_path)
    monkeypatch.setattr(Checkpoints, "save", real)
    starts, restore = [], Checkpoints.restore

    def spy(self, template):
        found = restore(self, template)
        starts.append(found and found.position.round)
        return found

    monkeypatch.setattr(Checkpoints, "restore", spy)
    assert same(fitted(frame, tmp_path), whole)
    assert starts == [rounds]  # and not from the beginning
    assert same(fitted(frame, tmp_path), whole)  # a finished one is read back


@pytest.mark.slow
def test_an_unfinished_fit_of_other_data_or_seed_is_not_continued(frame, tmp_path):
    fitted(frame, tmp_path)
    with pytest.warns(UserWarning, match="other data or settings"):
        assert same(fitted(frame[::-1], tmp_path), fitted(frame[::-1]))
    with pytest.warns(UserWarning, match="other data or settings"):
        assert same(fitted(frame, tmp_path, seed=1), fitted(frame, seed=1))
    wide = {"seed": 1, "validation_fraction": 0.3}
    with pytest.warns(UserWarning, match="other data or settings"):
        assert same(fitted(frame, tmp_path, **wide), fitted(frame, **wide))


@pytest.mark.slow
def test_a_run_killed_while_it_writes_goes_on(frame, tmp_path, monkeypatch):
    frame.to_csv(tmp_path / "in.csv", index=False)
    config = get_config(str(tmp_path / "in.csv"))
    config.table.update(max_epochs=1, num_draws=2)
    table.run(config, tmp_path / "whole", overwrite=False)

    def killed(*_):
        raise Killed

    real = table.write_table_report
    monkeypatch.setattr(table, "write_table_report", killed)
    out = tmp_path / "out"
    with pytest.raises(Killed):
        table.run(config, out, overwrite=False)
    assert (out / "completed.csv").exists()
    monkeypatch.setattr(table, "write_table_report", real)
    table.run(config, out, overwrite=False)
    for name in ("completed.csv", "draws/01.csv", "draws/02.csv"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert sorted(p.name for p in out.iterdir()) == sorted(
        p.name for p in (tmp_path / "whole").iterdir()
    )
