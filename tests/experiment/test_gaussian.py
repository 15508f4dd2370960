"""The Gaussian family from the command line: runs, modes, comparison, refusals."""

import json
import shutil

import numpy as np
import pytest

from ambient_jax.errors import UserError
from ambient_jax.experiment import gaussian_build
from ambient_jax.experiment.make import make
from ambient_jax.networks.edm_mlp import EdmMlp
from ambient_jax.networks.edm_unet import EdmUNet
from ambient_jax.report.comparison import write_comparison
from configs import ambient_gaussian, cdmt, em_only, gaussian_em, gaussian_oracle
from tests.experiment.test_kill import TINY as MASKED
from tests.experiment.test_launch import launch

TINY = [
    "--config.network.width=16", "--config.network.depth=1",
    "--config.data.num_train=100", "--config.data.num_test=20",
    "--config.train.rounds=3", "--config.train.steps_per_round=4",
    "--config.train.log_every=2", "--config.train.batch_size=32",
    "--config.train.estep_batch_size=32", "--config.prior.rank=3",
    "--config.prior.iterations=2", "--config.sampler.num_steps=3",
    "--config.eval.every_rounds=2", "--config.eval.num_draws=2",
    "--config.eval.num_samples=20", "--config.eval.num_interval_rows=4",
]  # fmt: skip


def run(config, folder, *more):
    workdir = folder / config
    code, out, err = launch(
        f"--config=configs/{config}.py:digits", f"--workdir={workdir}", *TINY, *more
    )
    assert code == 0, err
    return workdir, out


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run("gaussian_em", tmp_path_factory.mktemp("em"))


def summary_of(workdir):
    return json.loads((workdir / "summary.json").read_text())


def test_an_em_run_leaves_its_figures_and_a_report(finished):
    workdir, out = finished
    found = summary_of(workdir)
    for name in ("test_imputation_rmse", "test_imputation_mae", "energy_distance",
                 "data_energy_distance", "sample_fid", "imputed_classifier_accuracy",
                 "test_coverage_90", "estep_items_per_s", "wall_s"):  # fmt: skip
        assert np.isfinite(found[name]), name
    assert found["data"]["shape"] == [8, 8]
    assert "EM from round 1" in out
    assert "8x8 numbers" in out
    for name in ("report.html", "samples.png", "test.png", "metrics.csv",
                 "missingness.npz", "pictures.npz", "classifier.npz"):  # fmt: skip
        assert (workdir / name).stat().st_size > 100, name
    assert "numbers" in (workdir / "report.html").read_text()


def test_the_same_command_finds_the_run_finished(finished):
    workdir, _ = finished
    code, out, _ = launch(
        "--config=configs/gaussian_em.py:digits", f"--workdir={workdir}", *TINY
    )
    assert (code, "finished" in out) == (0, True)


def test_evaluating_again_finds_the_same_figures(finished, tmp_path):
    """Of a copy whose page and figures are gone."""
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    for name in ("summary.json", "report.html", "pictures.npz"):
        (workdir / name).unlink()
    code, out, err = launch("--mode=evaluate", f"--workdir={workdir}")
    assert code == 0, err
    assert "test_coverage_90" in out
    before, after = summary_of(finished[0]), summary_of(workdir)
    for name, value in before.items():
        if name.startswith(("test_", "sample_", "data_", "energy", "imputed_")):
            assert after[name] == value, name
    assert (workdir / "report.html").exists()


def test_samples_draws_and_means_are_in_the_units_of_the_data(finished, tmp_path):
    workdir, _ = finished
    output = tmp_path / "new.npz"
    flags = [f"--workdir={workdir}", f"--output={output}", "--overwrite"]
    assert launch("--mode=sample", *flags, "--num=5")[0] == 0
    assert np.load(output)["x"].shape == (5, 8, 8)
    x = np.random.default_rng(0).random((4, 8, 8)).astype(np.float32)
    x[:, ::2] = np.nan
    np.savez(tmp_path / "in.npz", x=x)
    common = ["--mode=impute", *flags, f"--input={tmp_path / 'in.npz'}"]
    code, _, err = launch(*common, "--num_draws=2")
    assert code == 0, err
    draws = np.load(output)["draws"]
    assert draws.shape == (2, 4, 8, 8)
    known = ~np.isnan(x)
    assert np.array_equal(draws[:, known], np.stack([x[known]] * 2))
    assert np.isfinite(draws).all()
    assert not np.array_equal(draws[0], draws[1])
    code, _, err = launch(*common, "--statistic=mean")
    assert code == 0, err
    mean = np.load(output)["mean"]
    assert np.array_equal(mean[known], x[known])
    np.savez(tmp_path / "in.npz", x=x[:, :5])
    code, _, err = launch(*common)
    assert (code, "shape" in err, len(err.splitlines())) == (2, True, 1)


@pytest.mark.parametrize(
    ("config", "more", "figure"),
    [
        ("ambient_gaussian", (), "test_imputation_rmse"),
        ("cdmt", ("--config.objective.consistency_weight=1.0",), "test_denoising_rmse"),
        ("gaussian_oracle", (), "test_imputation_rmse"),
    ],
)
def test_the_other_methods_run_and_compare(config, more, figure, finished, tmp_path):
    workdir, _ = run(config, tmp_path, *more)
    found = summary_of(workdir)
    assert np.isfinite(found[figure])
    assert np.isfinite(found["energy_distance"])
    assert np.isfinite(found["sample_fid"])
    assert ("imputed_classifier_accuracy" in found) == (config != "cdmt")
    assert ("test_coverage_90" in found) == (config == "gaussian_oracle")
    if config == "cdmt":
        assert "test_imputation_*: no test cell is hidden" in found["skipped_figures"]
        assert "consistency_loss" in (workdir / "metrics.csv").read_text()
    table = write_comparison([finished[0], workdir], tmp_path / "both.html")
    assert "`energy_distance`" in table


@pytest.mark.slow
def test_a_masked_run_stands_beside_a_gaussian_one(finished, tmp_path):
    """What one of both lacks is a dash in its column."""
    masked = tmp_path / "masked"
    code, _, err = launch(
        "--config=configs/em_only.py:digits", f"--workdir={masked}", *MASKED[1:],
        "--config.data.tokenizer.name=levels", "--config.eval.num_samples=20",
    )  # fmt: skip
    assert code == 0, err
    table = write_comparison([masked, finished[0]], tmp_path / "both.html")
    lines = {
        line.split(" | ")[0][2:]: line.split(" | ")[1:] for line in table.split("\n")
    }
    for name in ("test_imputation_rmse", "test_imputation_mae", "test_coverage_90",
                 "energy_distance", "sample_fid", "imputed_classifier_accuracy",
                 "wall_s"):  # fmt: skip
        assert all(cell[0].isdigit() for cell in lines[f"`{name}`"]), name
    assert [cell[0] == "–" for cell in lines["`test_nll_nats`"]] == [False, True]
    assert "test_nll_nats" in (tmp_path / "both.html").read_text()


def changed(module, data="digits", **fields):
    config = module.get_config(data)
    config.data.update(num_train=50, num_test=10)
    for field, value in fields.items():
        section, _, name = field.partition("__")
        config[section][name] = value
    return config


REFUSED = {
    "noise_below_0": (changed(cdmt, data__noise=-0.1), "data.noise must not be below"),
    "no_noise": (changed(cdmt, data__noise=0.0), "above 0"),
    "noise_and_em": (changed(gaussian_em, data__noise=0.1), "takes rows for clean"),
    "complete_rows": (changed(gaussian_em, data__complete=True), "rows with holes"),
    "complete_ambient": (
        changed(ambient_gaussian, data__complete=True), "rows with holes"
    ),
    "csv": (changed(gaussian_em, "table.csv"), "no .npz"),
    "unknown_method": (changed(cdmt, objective__method="cdtm"), "did you mean 'cdmt'"),
    "steps": (changed(gaussian_em, sampler__num_steps=0), "at least 1"),
    "nan": (changed(gaussian_em, sampler__rho=float("nan")), "finite"),
    "width": (changed(gaussian_em, network__width=7), "width"),
    "network": (changed(gaussian_em, network__name="unett"), "did you mean 'unet'"),
    "heads": (
        changed(gaussian_em, network__name="unet", network__widths=()), "widths"
    ),
    "hidden": (changed(ambient_gaussian, objective__hidden_share=0.0), "hidden_share"),
    "batch": (changed(gaussian_em, train__batch_size=0), "batch size"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_line(name, tmp_path):
    config, match = REFUSED[name]
    with pytest.raises(UserError, match=match) as caught:
        make(config, tmp_path / "none")
    assert "\n" not in str(caught.value)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("x", "match"),
    [(np.zeros((20, 3), int), "needs floats"), (np.zeros((20, 3)), "rows with holes")],
)
def test_a_file_that_does_not_fit_ends_with_code_2(x, match, tmp_path):
    np.savez(tmp_path / "in.npz", x=x)
    workdir = tmp_path / "run"
    code, _, err = launch(
        f"--config=configs/gaussian_em.py:{tmp_path / 'in.npz'}",
        f"--workdir={workdir}", "--config.data.missingness.name=none",
    )  # fmt: skip
    assert code == 2
    assert match in err
    assert len(err.splitlines()) == 1
    assert not workdir.exists()


def test_only_the_network_of_ambient_diffusion_reads_a_mask():
    config = changed(ambient_gaussian)
    network = gaussian_build.denoiser(config, (8, 8))
    assert network.masked
    assert not gaussian_build.denoiser(changed(gaussian_em), (8, 8)).masked


def test_a_unet_is_chosen_by_its_name_and_reads_the_mask_likewise():
    config = changed(ambient_gaussian, network__name="unet", network__widths=(8, 16))
    network = gaussian_build.denoiser(config, (1, 8, 8))
    assert isinstance(network, EdmUNet)
    assert (network.shape, network.widths, network.masked) == ((1, 8, 8), (8, 16), True)
    assert isinstance(gaussian_build.denoiser(changed(gaussian_em), (8, 8)), EdmMlp)


def test_masked_configs_are_no_gaussian_ones():
    assert gaussian_build.is_gaussian(gaussian_oracle.get_config())
    assert not gaussian_build.is_gaussian(em_only.get_config("digits"))
    assert not gaussian_build.is_gaussian(None)
