"""The command line: modes of a finished run, and one-line errors for bad input."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ambient_jax.errors import UserError
from ambient_jax.experiment import build, setup
from configs import em_only
from tests.experiment.test_kill import TINY

ROOT = Path(__file__).parents[2]


def launch(*arguments, cwd=ROOT):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    environment.pop("AMBIENT_DATA_DIR", None)
    done = subprocess.run(
        [sys.executable, str(ROOT / "launch.py"), *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env=environment, timeout=280,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny run on digits, with the classifier, in the folder that a run gets."""
    folder = tmp_path_factory.mktemp("here")
    config = f"--config={ROOT}/configs/em_consistency.py:digits"
    code, out, err = launch(
        config, *TINY[1:], "--config.eval.num_samples=50", cwd=folder
    )
    workdir = folder / "runs" / "em_consistency_digits"
    assert code == 0, err
    assert "1 CPU device" in out.splitlines()[0]
    return workdir


def test_a_run_leaves_what_the_readme_names(finished):
    summary = json.loads((finished / "summary.json").read_text())
    for name in SUMMARY:
        assert name in summary, name
        if name in ERRORS:
            assert f"{name}_se" in summary, name
    assert len(summary["test_nll_by_t"]) == 10
    assert summary["config"]["data"]["source"] == "digits"
    for name in ("report.html", "samples.png", "test.png", "curves.png", "nll_by_t.png",
                 "metrics.csv", "missingness.npz", "pictures.npz"):  # fmt: skip
        assert (finished / name).stat().st_size > 100, name
    assert list((finished / "tb").glob("events*"))
    with np.load(finished / "missingness.npz") as saved:
        share = saved["train_observed"].mean()
    assert share == pytest.approx(summary["observed_share"])


SUMMARY = (
    "test_nll_nats", "test_nll_exact_nats", "test_nll_by_t", "test_imputation_accuracy",
    "test_imputation_nll_nats", "test_imputation_rmse", "sample_fid",
    "sample_class_entropy", "imputed_classifier_accuracy", "completion_nll_nats",
    "consistency_gap", "valid_nll_nats", "train_items_per_s", "estep_items_per_s",
    "peak_memory_mib", "wall_s", "config", "versions", "seed", "device", "git_revision",
    "observed_share", "skipped_figures", "data",
)  # fmt: skip
ERRORS = {name for name in SUMMARY[:12] if name != "test_nll_by_t"}


def test_sample_is_seeded_and_does_not_overwrite(finished, tmp_path):
    output = tmp_path / "new.npz"
    flags = ["--mode=sample", f"--workdir={finished}", f"--output={output}", "--num=5"]
    assert launch(*flags)[0] == 0
    first = np.load(output)["x"]
    assert first.shape == (5, 8, 8)
    assert set(np.unique(first)) <= {0, 1}
    code, _, err = launch(*flags)
    assert (code, "exists" in err) == (2, True)
    own = [*TINY, "--config.eval.num_samples=50"]  # the run's config is no other config
    code, _, err = launch(*flags, *own, "--overwrite")
    assert code == 0, err
    assert np.array_equal(np.load(output)["x"], first)


def test_impute_writes_draws_and_means(finished, tmp_path):
    x = np.random.default_rng(0).integers(-1, 2, (7, 8, 8))
    np.savez(tmp_path / "in.npz", x=x)
    common = [
        "--mode=impute",
        f"--workdir={finished}",
        f"--input={tmp_path / 'in.npz'}",
    ]
    code, _, err = launch(*common, f"--output={tmp_path / 'd.npz'}", "--num_draws=3")
    assert code == 0, err
    drawn = np.load(tmp_path / "d.npz")["draws"]
    assert drawn.shape == (3, 7, 8, 8)
    assert np.array_equal(drawn[:, x >= 0], np.stack([x[x >= 0]] * 3))
    code, _, err = launch(*common, f"--output={tmp_path / 'm.npz'}", "--statistic=mean")
    assert code == 0, err
    mean = np.load(tmp_path / "m.npz")["mean"]
    assert np.array_equal(mean[x >= 0], x[x >= 0])
    assert (mean[x < 0] > 0).all()
    assert (mean[x < 0] < 1).all()


def test_impute_refuses_rows_of_another_shape(finished, tmp_path):
    np.savez(tmp_path / "in.npz", x=np.zeros((2, 5, 5), int))
    code, _, err = launch(
        "--mode=impute", f"--workdir={finished}", f"--input={tmp_path / 'in.npz'}",
        f"--output={tmp_path / 'out.npz'}",
    )  # fmt: skip
    assert code == 2
    assert "this model needs [N, 8, 8]" in one_line(err)
    assert not (tmp_path / "out.npz").exists()


def test_evaluate_rewrites_the_same_figures(finished):
    before = json.loads((finished / "summary.json").read_text())
    code, _, err = launch("--mode=evaluate", f"--workdir={finished}")
    assert code == 0, err
    after = json.loads((finished / "summary.json").read_text())
    for name in ("test_nll_nats", "sample_fid", "test_imputation_rmse"):
        assert after[name] == before[name]


def test_a_run_of_another_version_is_refused_by_one_line(finished, tmp_path):
    other = tmp_path / "run"
    shutil.copytree(finished, other)
    config = json.loads((other / "config.json").read_text())
    del config["em"]["start"]
    (other / "config.json").write_text(json.dumps(config))
    code, _, err = launch("--mode=evaluate", f"--workdir={other}")
    assert code == 2
    assert "another version" in one_line(err)
    assert "start" in err


def test_compare_puts_runs_beside_each_other(finished, tmp_path):
    page = tmp_path / "compare.html"
    other = tmp_path / "a" / finished.name
    shutil.copytree(finished, other)
    code, _, err = launch(f"--compare={finished},{other}", f"--output={page}")
    assert code == 0, err
    assert page.read_text().count("<th>") >= 4


def test_without_truth_a_run_still_ends_and_says_what_is_left_out(tmp_path):
    x = np.random.default_rng(0).integers(-1, 3, (60, 6))
    np.savez(tmp_path / "own.npz", x=x)
    code, out, err = launch(
        f"--config=configs/em_only.py:{tmp_path / 'own.npz'}",
        f"--workdir={tmp_path / 'run'}", "--config.train.rounds=2",
        "--config.train.steps_per_round=3", "--config.prior.steps=3",
        "--config.train.batch_size=16", "--config.train.estep_batch_size=32",
        "--config.network.width=16", "--config.network.depth=1",
    )  # fmt: skip
    assert code == 0, err
    assert "left out: test_*: there are no test rows" in out
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert "completion_nll_nats" in summary
    assert not any(name.startswith("test_") for name in summary)
    assert "Left out" in (tmp_path / "run" / "report.html").read_text()


def one_line(err):
    lines = [line for line in err.strip().splitlines() if line]
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    return lines[0]


CONFIG = "--config=configs/baseline.py:digits"
BAD = {
    "no config": ([], "no --config"),
    "absent config": (["--config=configs/nothing.py"], "nothing.py"),
    "unknown data": (["--config=configs/baseline.py:digitz"], "did you mean 'digits'"),
    "absent npz": (["--config=configs/baseline.py:/none.npz"], "does not exist"),
    "misspelt field": ([CONFIG, "--config.data.missingness.raet=0.5"], "rate"),
    "unknown mechanism": (
        [CONFIG, "--config.data.missingness.name=mcra"], "did you mean 'mcar'",
    ),
    "rate": ([CONFIG, "--config.data.missingness.rate=1.0"], "[0, 1)"),
    "stray word": ([CONFIG, "stray"], "is no flag"),
    "no such field": ([CONFIG, "--config.train.speed=9"], "has no field 'speed'"),
    "wrong type": ([CONFIG, "--config.train.rounds=many"], "many"),
    "flag of another command": (
        ["sample", "--num_draws=3"], "--num_draws does not apply to sample",
    ),
    "absent command": (["fly"], "no command 'fly'"),
    "bad flag": ([CONFIG, "--mode=fly"], "fly"),
    "folder": (
        ["--config=configs/baseline.py:mnist", "--config.data.dir=/nonexistent"],
        "does not hold",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_writes_nothing(name, tmp_path):
    flags, message = BAD[name]
    workdir = tmp_path / "run"
    code, _, err = launch(*flags, f"--workdir={workdir}")
    assert code == 2, err
    assert message in one_line(err)
    assert not workdir.exists()


FIELDS = {
    "data.missingness.rate": (1.5, "[0, 1)"),
    "data.missingness.name": ("mcra", "did you mean 'mcar'"),
    "data.num_train": (1, "too few"),
    "data.seed": (-1, "at least 0"),
    "network.num_heads": (7, "config.network"),
    "network.widths": ((2, 8), "widths must be at least 4 each"),
    "network.dtype": ("float99", "config.network"),
    "network.name": ("unett", "did you mean 'unet'"),
    "objective.schedule": ("lin", "did you mean 'linear'"),
    "objective.natural_share": (2.0, "[0, 1]"),
    "objective.imputed_weight": (-1.0, "not be below 0"),
    "objective.copied_share": (1.5, "config.objective: copied_share and light_share"),
    "consistency.gap": (0.0, "gap"),
    "consistency.form": ("kll", "did you mean 'kl'"),
    "consistency.stop": ("cleanr", "did you mean 'cleaner'"),
    "em.fraction": (0.0, "(0, 1]"),
    "em.start": (-0.1, "config.em.start must lie in [0, 1)"),
    "consistency.start": (1.0, "config.consistency.start must lie in [0, 1)"),
    "em.final_temperature": (0.0, "final_temperature must be above 0"),
    "prior.name": ("latnet", "did you mean 'latent'"),
    "prior.share": (1.5, "share must lie in [0, 1]"),
    "prior.members": (0, "config.prior.members must be at least 1"),
    "prior.steps": (0, "config.prior.steps must be at least 1"),
    "em.reveals": (0, "config.em.reveals must be at least 1"),
    "em.initial_reveals": (0, "config.em.initial_reveals must be at least 1"),
    "optimizer.learning_rate": (0.0, "learning_rate"),
    "optimizer.ema_decay": (1.0, "[0, 1)"),
    "train.rounds": (0, "rounds must be at least 1"),
    "train.batch_size": (0, "batch size 0"),
    "train.log_every": (0, "log_every"),
    "eval.every_rounds": (0, "at least 1"),
    "eval.checkpoint": ("bst", "did you mean 'best'"),
    "checkpoint.keep": (0, "at least 1"),
    "seed": (2**40, "seed 1099511627776 lies outside 0..4294967295"),
    "optimizer.clip_norm": (float("inf"), "config.optimizer.clip_norm must be a fin"),
    "data.missingness.strength": (1e308, "strength must lie in -1000..1000"),
}


def test_the_first_estep_and_the_temperature_follow_the_length_of_the_run():
    config = em_only.get_config("digits")
    config.prior.name = "none"
    for missing, rounds, first, last in (
        (0.6, 20, 5, 1.0), (0.3, 8, 2, 1.0), (0.9, 24, 4, 0.9), (0.75, 24, 5, 0.95),
    ):  # fmt: skip
        config.train.rounds = rounds
        estep = build.settings(config).estep(missing)
        assert estep.start_round == first
        at = estep.completer.temperature_after
        assert at(0) == config.em.temperature
        assert at(rounds - 2 - first) < at(rounds - 1 - first)
        assert at(rounds - 1 - first) == pytest.approx(last)
    config.update_from_flattened_dict({"em.start": 0.5, "em.final_temperature": 0.9})
    estep = build.settings(config).estep(0.9)
    assert (estep.start_round, estep.completer.temperature_after(11)) == (12, 0.9)
    config.em.on = False
    assert build.settings(config).estep(0.9).start_round is None


def test_the_prior_draws_first_and_needs_em():
    config = em_only.get_config("digits")
    setting = build.settings(config)
    prior = setting.prior.build((8, 8), 2)
    estep = setting.estep(0.6, prior)
    assert (estep.start_round, estep.prior_rounds) == (0, 15)
    kinds = [estep.kind(r) for r in (0, 14, 15, 19)]
    assert kinds == ["prior", "prior", "later", "later"]
    config.em.on = False
    assert build.settings(config).estep(0.6).kind(0) == "none"


@pytest.mark.parametrize("field", FIELDS)
def test_a_value_that_cannot_be_is_refused_before_anything_is_written(field, tmp_path):
    """As `--config.field=value` reaches the run, without a process for each."""
    value, message = FIELDS[field]
    config = em_only.get_config("digits")
    config.data.missingness.name = "mnar"
    config.update_from_flattened_dict({field: value})
    with pytest.raises(UserError) as caught:
        setup.check_network(setup.make(config, tmp_path / "none"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not any(tmp_path.iterdir())


def test_workdirs_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("mine")
    for workdir, message in (
        ("/proc/nothing", "cannot be written"),
        (tmp_path, "holds files but no run"),
        (tmp_path / "file", "not a folder"),
    ):
        code, _, err = launch(CONFIG, f"--workdir={workdir}")
        assert code == 2, err
        assert message in one_line(err)
    code, _, err = launch("--mode=sample")
    assert (code, "no --workdir" in one_line(err)) == (2, True)
    code, _, err = launch("--mode=sample", f"--workdir={tmp_path / 'none'}")
    assert (code, "no run in" in one_line(err)) == (2, True)
    assert (tmp_path / "file").read_text() == "mine"


def test_help_is_quick_and_helps():
    code, out, _ = launch("--help")
    assert code in (0, 1)
    assert "em_consistency:digits" in out
    assert "--workdir" in out
