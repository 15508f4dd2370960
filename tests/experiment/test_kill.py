"""SIGKILL in the E-step, the M-step, while saving and at the end: nothing is lost."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

KILLER = Path(__file__).with_name("killer.py")
ROOT = Path(__file__).parents[2]
TINY = [
    "--config=configs/em_consistency.py:digits", "--config.network.widths=(8,8)",
    "--config.network.bottom_blocks=1", "--config.network.num_heads=1",
    "--config.data.num_train=200", "--config.data.num_test=40",
    "--config.train.rounds=5", "--config.train.steps_per_round=4",
    "--config.train.log_every=2", "--config.train.batch_size=32",
    "--config.train.estep_batch_size=64", "--config.em.start=0.2",
    "--config.prior.members=2", "--config.prior.steps=6", "--config.prior.share=0.4",
    "--config.em.reveals=2", "--config.em.initial_reveals=3",
    "--config.eval.every_rounds=2", "--config.eval.round_rows=20",
    "--config.eval.num_draws=1", "--config.eval.num_exact=8",
    "--config.eval.num_samples=0",
    "--config.sampler.reveals=3", "--config.sampler.corrector_sweeps=1",
]  # fmt: skip


def run(point, workdir, *more, wait=True):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, str(KILLER), point, *TINY, f"--workdir={workdir}", *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    if not wait:
        return process
    out, err = process.communicate(timeout=280)
    return process.returncode, out, err


def results(workdir):
    """All that must be equal bit for bit: everything but times."""
    summary = json.loads((workdir / "summary.json").read_text())
    figures = {k: v for k, v in summary.items() if not timing(k)}
    with (workdir / "metrics.csv").open() as file:
        metrics = [row for row in csv.reader(file) if not timing(row[2])]
    with np.load(workdir / "pictures.npz") as archive:
        pictures = {k: v.tolist() for k, v in archive.items()}
    return figures, metrics, pictures


def timing(name):
    return name in ("wall_s", "peak_memory_mib") or name.endswith("_per_s")


def checkpoint_bits(workdir):
    """Parameters and completions of the newest checkpoint."""
    from ml_collections import ConfigDict

    from ambient_jax.experiment.setup import make
    from ambient_jax.training.checkpoint import Checkpoints

    config = ConfigDict(json.loads((workdir / "config.json").read_text()))
    config.network.widths = tuple(config.network.widths)
    setup = make(config, workdir / "classifier.npz")
    checkpoints = Checkpoints(workdir / "checkpoints", keep=2)
    found = checkpoints.restore(setup.trainer.start())
    checkpoints.close()
    import jax

    leaves = jax.tree.leaves((found.state.params, found.state.ema))
    return [np.asarray(leaf) for leaf in leaves] + [found.completions]


def killed_at(point, workdir):
    code, out, err = run(point, workdir)
    assert code == -signal.SIGKILL, (point, err)
    assert not (workdir / "summary.json").exists()
    return out


@pytest.mark.timeout(900)  # eleven launches
@pytest.mark.slow
def test_killed_everywhere_it_ends_bitwise_the_same(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    code, _, err = run("never", whole)
    assert code == 0, err
    for point in ("prior:3", "draws:1", "estep:2", "mstep:6", "saving:1"):
        killed_at(point, killed)

    # A signal in an evaluation is obeyed there; the evaluation is done again.
    code, out, err = run("evaluation:0", killed)
    assert code == 128 + signal.SIGTERM, err
    assert "saved; the same command goes on" in out
    assert "evaluate 0" in killed_at("finish:0", killed)

    # A torn checkpoint is skipped with a line; the run goes on from the one before.
    newest = max((killed / "checkpoints").iterdir(), key=lambda p: int(p.name))
    for file in (newest / "completions").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    code, out, err = run("never", killed)
    assert code == 0, err
    assert "going on from" in out
    assert f"checkpoint {newest.name} is torn and is skipped" in err
    assert results(killed) == results(whole)
    for a, b in zip(checkpoint_bits(killed), checkpoint_bits(whole), strict=True):
        assert np.array_equal(a, b)

    # The same command on a finished run does nothing; another config is refused.
    before = (killed / "summary.json").stat().st_mtime_ns
    code, out, _ = run("never", killed)
    assert code == 0
    assert "finished" in out
    assert (killed / "summary.json").stat().st_mtime_ns == before
    code, _, err = run("never", killed, "--config.seed=5")
    assert code == 2
    assert "seed: 0 -> 5" in err


def test_sigterm_saves_and_exits(tmp_path):
    workdir = tmp_path / "run"
    process = run("never", workdir, "--config.train.rounds=500", wait=False)
    metrics = workdir / "metrics.csv"
    for _ in range(1200):
        if metrics.exists() and len(metrics.read_text().splitlines()) > 3:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "SIGTERM: saving" in err
    assert "the same command goes on" in out
    assert any((workdir / "checkpoints").iterdir())
