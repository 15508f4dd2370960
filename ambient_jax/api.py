"""The functions of `import ambient_jax as aj`: what `launch.py` does, in a notebook."""

from dataclasses import dataclass

import numpy as np

from ambient_jax.data.dataset import Dataset
from ambient_jax.data.load import from_rows, load_dataset
from ambient_jax.data.missingness import MCAR, Missingness
from ambient_jax.data.npz import check_arrays
from ambient_jax.data.tokenizer import Threshold, Tokenizer
from ambient_jax.diffusion.masked.consistency import Consistency
from ambient_jax.diffusion.masked.objective import Objective
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.errors import UserError
from ambient_jax.mesh import make_mesh
from ambient_jax.model import Model
from ambient_jax.networks.transformer import Transformer
from ambient_jax.networks.unet import UNet
from ambient_jax.training.bars import TerminalBar
from ambient_jax.training.estep import EStep, start_and_end
from ambient_jax.training.hooks import Bar, Quiet
from ambient_jax.training.optimizer import make_optimizer
from ambient_jax.training.trainer import Plan, Trainer
from ambient_jax.types import Denoiser


def load_data(
    source: str | np.ndarray,
    *,
    x_test: np.ndarray | None = None,
    missingness: Missingness | None = None,
    tokenizer: Tokenizer | None = None,
    seed: int = 0,
    **sizes,
) -> Dataset:
    """A data set by name (`digits`, `mnist`, `PATH.npz`) or from an array.

    Args:
      source: a name, or integers `[N, H, W]` / `[N, L]`, values 0..V-1, -1 if missing.
      x_test: complete rows to judge by, for an array.
      missingness: hides cells where the rows are complete; default `MCAR(rate=0.9)`.
      tokenizer: from grey levels to tokens, for pictures; default `Threshold()`.
      sizes: `num_train`, `num_valid`, `num_test`; `side` and `dir` for pictures.

    Raises:
      UserError: the data cannot be used; says what to do.
    """
    missingness = missingness or MCAR(rate=0.9)
    if isinstance(source, str):
        return load_dataset(
            source, missingness=missingness, tokenizer=tokenizer or Threshold(),
            seed=seed, **sizes,
        )  # fmt: skip
    for name in ("side", "dir"):
        if sizes.pop(name, None) is not None:
            raise UserError(f"{name} applies to pictures by name, not to an array")
    arrays = {"x": source}
    if x_test is not None:
        arrays["x_test"] = x_test
    rows = check_arrays(arrays, "array")
    return from_rows(rows, "array", missingness=missingness, seed=seed, **sizes)


def build_denoiser(data: Dataset, **fields) -> Denoiser:
    """A `UNet` for pictures, a `Transformer` for `[N, L]` rows; `fields` are theirs."""
    shape, values = data.train.shape, data.train.num_values
    if len(shape) == 2:
        return UNet(shape=(shape[0], shape[1]), num_values=values, **fields)
    return Transformer(length=shape[0], num_values=values, **fields)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Settings of `fit`; the defaults are those of `configs/em_consistency.py:digits`.

    Attributes:
      rounds, steps_per_round, batch_size: length of the training.
      learning_rate: peak of the schedule.
      objective: the loss; None: that config's, with `t_min = 1 / L`.
      sampler: of the model that comes back.
      estep: the E-step; None: that config's. `EStep(first_round=None)` trains the
        baseline.
      seed: root of all randomness.
    """

    rounds: int = 20
    steps_per_round: int = 50
    batch_size: int = 128
    learning_rate: float = 2e-3
    objective: Objective | None = None
    estep: EStep | None = None
    sampler: Sampler = Sampler(num_reveals=64, corrector_sweeps=16)
    seed: int = 0


def default_objective(length: int, steps_per_round: int) -> Objective:
    """The loss of `configs/em_consistency.py` for rows of `length` tokens."""
    return Objective(
        t_min=1.0 / length,
        consistency=Consistency(teacher="ema", gap=0.3, rows="natural"),
        consistency_weight=1.0, consistency_ramp=steps_per_round,
    )  # fmt: skip


def default_estep(rounds: int, missing_share: float) -> EStep:
    """The E-steps of `configs/em_consistency.py:digits` in a run of so many rounds."""
    start, final = start_and_end(missing_share)
    return EStep.over(
        rounds, start, first=Sampler(num_reveals=40), sampler=Sampler(num_reveals=12),
        temperature=0.6, final_temperature=final,
    )  # fmt: skip


def fit(data: Dataset, denoiser: Denoiser, settings: Fit | None = None) -> Model:
    """Trains on `data.train`, the incomplete rows, and nothing else.

    Shows a progress bar on a terminal. For runs that survive a kill, with figures and a
    report, use `launch.py`.
    """
    s, mesh = settings or Fit(), make_mesh()
    batch = max(mesh.size, s.batch_size // mesh.size * mesh.size)
    plan = Plan(
        rounds=s.rounds, steps_per_round=s.steps_per_round, batch_size=batch,
        estep_batch_size=2 * batch, ema_decay=0.995, seed=s.seed,
    )  # fmt: skip
    optimizer = make_optimizer(
        learning_rate=s.learning_rate, warmup_steps=100,
        total_steps=s.rounds * s.steps_per_round, weight_decay=0.01, clip_norm=1.0,
    )  # fmt: skip
    objective = s.objective or default_objective(
        data.train.tokens.shape[1], s.steps_per_round
    )
    estep = s.estep or default_estep(s.rounds, 1.0 - data.observed_share)
    trainer = Trainer(denoiser, data.train, objective, estep, plan, optimizer, mesh)
    progress = trainer.run(trainer.start(), _Bars(s.rounds))
    return Model(
        denoiser=denoiser, params=trainer.sampling_params(progress),
        shape=data.train.shape, sampler=s.sampler, mesh=mesh, batch_size=2 * batch,
    )  # fmt: skip


def sample(model: Model, num: int, *, seed: int = 0) -> np.ndarray:
    """See `Model.sample`."""
    return model.sample(num, seed=seed)


def impute(
    model: Model, rows: np.ndarray, *, num_draws: int = 1, seed: int = 0
) -> np.ndarray:
    """See `Model.impute`."""
    return model.impute(rows, num_draws=num_draws, seed=seed)


def score(model: Model, rows: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """See `Model.score`."""
    return model.score(rows, seed=seed)


class _Bars(Quiet):
    def __init__(self, rounds: int):
        self._rounds = rounds

    def bar(self, phase: str, round_: int, total: int, done: int) -> Bar:
        return TerminalBar(f"round {round_ + 1}/{self._rounds} {phase}", total, done)
