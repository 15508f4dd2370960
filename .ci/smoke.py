"""Uses the installed package as a stranger would: the library and the command.

    python .ci/smoke.py COMMAND

It is run outside of the checkout, by `.ci/distribution` and `.ci/lowest`.
"""

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import ambient_jax
from ambient_jax import AmbientImputer

TINY = (
    "--config.train.rounds=2", "--config.train.steps_per_round=3",
    "--config.train.batch_size=16", "--config.eval.num_samples=0",
    "--config.eval.num_draws=1", "--config.eval.num_exact=0", "--config.prior.steps=5",
    "--config.em.initial_reveals=4", "--config.network.widths=(8,16)",
)  # fmt: skip


def run(command: str, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [command, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != code:
        raise SystemExit(f"{arguments} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout + done.stderr


def main(command: str) -> None:
    where = Path(ambient_jax.__file__)
    assert "site-packages" in where.parts, f"{where} is not the installed package"
    assert "impute table" in run(command, "--help")
    assert ambient_jax.__version__ in run(command, "--version")
    with tempfile.TemporaryDirectory() as folder:
        _pictures(command, Path(folder))
        _table(command, Path(folder))
    if importlib.util.find_spec("tensorflow_datasets") is None:
        said = run(command, "train", "--config=baseline:mnist", code=2)
        assert "ambient_jax[pictures]" in said, said
        assert len(said.splitlines()) == 1, said
    print(f"smoke: ambient_jax {ambient_jax.__version__} works from {where.parent}")


def _pictures(command: str, folder: Path) -> None:
    run_folder = f"--workdir={folder / 'run'}"
    run(command, "train", "--config=em_consistency:digits", run_folder, *TINY)
    assert (folder / "run" / "report.html").exists()
    rows = np.random.default_rng(0).integers(-1, 2, (3, 8, 8))
    np.savez(folder / "holes.npz", x=rows)
    run(command, "impute", run_folder, f"--input={folder / 'holes.npz'}",
        f"--output={folder / 'draws.npz'}")  # fmt: skip
    draws = np.load(folder / "draws.npz")["draws"]
    assert np.array_equal(draws[0][rows >= 0], rows[rows >= 0])


def _table(command: str, folder: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    frame = pd.DataFrame(
        {"x": x, "y": x + rng.normal(size=80), "kind": ["a", "b"] * 40}
    )
    frame = frame.mask(rng.random(frame.shape) < 0.2)
    imputer = AmbientImputer(max_epochs=1, random_state=0).fit(frame)
    assert not imputer.transform(frame).isna().to_numpy().any()
    frame.to_csv(folder / "data.csv", index=False)
    run(command, "impute", "table", str(folder / "data.csv"),
        f"--workdir={folder / 'out'}", "--config.table.max_epochs=1")  # fmt: skip
    done = pd.read_csv(folder / "out" / "completed.csv")
    assert not done.isna().to_numpy().any()


if __name__ == "__main__":
    main(sys.argv[1])
