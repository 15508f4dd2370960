"""Fits DiffPuter's network of a table by the trainer of every other family."""

import time
from dataclasses import dataclass, field
from typing import Any

import jax
import pandas as pd

from ambient_jax.data.continuous import ContinuousData
from ambient_jax.diffusion.gaussian.edm_objective import EdmObjective
from ambient_jax.mesh import make_table_mesh
from ambient_jax.priors.means import MeanPrior
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.gaussian.model import GaussianTableModel
from ambient_jax.tabular.gaussian.recipe import DiffPuterRecipe
from ambient_jax.tabular.gaussian.standard_codec import StandardCodec
from ambient_jax.training.bars import BarOverRounds
from ambient_jax.training.estep import EStep
from ambient_jax.training.hooks import Bar, Quiet
from ambient_jax.training.progress import Progress
from ambient_jax.training.trainer import Trainer


@dataclass(kw_only=True)
class Losses(Quiet):
    """Retains the mean loss of each M-step, and shows one bar over all of them.

    Attributes:
      rounds, verbose: number of M-steps; 1 shows the bar.
      history: mean losses so far.
    """

    rounds: int
    verbose: int = 0
    history: tuple[float, ...] = ()
    _whole: BarOverRounds = field(init=False)

    def __post_init__(self) -> None:
        self._whole = BarOverRounds(label="fit", rounds=self.rounds)

    def log(self, round_, step, metrics):
        if "train_loss" in metrics:
            self.history = (*self.history, float(metrics["train_loss"]))

    def bar(self, phase: str, round_: int, total: int, done: int) -> Bar:
        if not self.verbose or phase != "M-step":
            return super().bar(phase, round_, total, done)
        return self._whole.part(round_, total, done)

    def close(self) -> None:
        """Removes the bar."""
        self._whole.close()


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The result of a fit.

    Attributes:
      model: the network and the codec.
      history: mean loss of each M-step.
      seconds: duration of the fit.
    """

    model: GaussianTableModel
    history: list[float]
    seconds: float


def fit_diffputer(
    table: TableCodec, frame: pd.DataFrame, recipe: DiffPuterRecipe, *,
    corrected: bool, seed: int, verbose: int = 0,
) -> Fitted:  # fmt: skip
    """Alternates M-steps of EDM and E-steps by re-noised observed cells.

    The first M-step sees column means in place of missing cells.

    Args:
      table: fitted on the frame, with at least one column.
      frame: rows with missing cells.
      recipe: sizes.
      corrected: draws in place of means in the E-step, and networks that go on from the
        last one in place of new ones.
      seed: root of all randomness.
      verbose: 1 shows a progress bar.

    Raises:
      TrainingDiverged: the loss was not finite.
    """
    clock = time.perf_counter()
    codec = StandardCodec.fit(table, frame)
    data = ContinuousData(rows=codec.encode(frame), shape=(codec.length,))
    estep = EStep(
        start_round=0, prior=MeanPrior(), prior_rounds=1,
        completer=recipe.completer(1 if corrected else recipe.num_draws),
    )  # fmt: skip
    trainer = Trainer(
        recipe.network(codec.length), data, EdmObjective(), estep,
        recipe.plan(len(data), corrected, seed), recipe.optimizer(corrected),
        make_table_mesh(),
    )  # fmt: skip
    hooks = Losses(rounds=recipe.iterations, verbose=verbose)
    try:
        progress: Progress = trainer.run(trainer.start(), hooks)
    finally:
        hooks.close()
    params: Any = jax.device_get(trainer.sampling_params(progress))
    return Fitted(
        model=GaussianTableModel.of(codec, recipe, params),
        history=list(hooks.history), seconds=time.perf_counter() - clock,
    )  # fmt: skip
