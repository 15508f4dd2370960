"""Fits a table's network: the same `Trainer` as pictures, stopped by held-out cells."""

import time
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh

from ambient_jax import keys
from ambient_jax.data.dataset import IncompleteData
from ambient_jax.diffusion.masked.consistency import Consistency
from ambient_jax.diffusion.masked.objective import Objective
from ambient_jax.diffusion.masked.query_masking import QueryMasking
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.errors import TrainingDiverged
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.mesh import make_mesh
from ambient_jax.networks.ensemble import Ensemble
from ambient_jax.tabular.columns.codec import Encoded, TableCodec
from ambient_jax.tabular.fitting.checkpoint import FitCheckpoint, fingerprint
from ambient_jax.tabular.fitting.early_stopping import EarlyStop, Validation, hide_some
from ambient_jax.tabular.fitting.network import (
    SETTINGS,
    TableNetwork,
    network_of,
    out_of_fold,
)
from ambient_jax.tabular.fitting.recipe import Recipe
from ambient_jax.tabular.linear.warm_start import fit_factors
from ambient_jax.training.estep import EStep
from ambient_jax.training.optimizer import make_optimizer, per_member
from ambient_jax.training.trainer import Interrupted, Plan, Trainer
from ambient_jax.types import Params

LEAST_BATCH = 32
"""Rows per step of a table that has fewer rows than that."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What training leaves.

    Attributes:
      history: mean nats per held-out cell after each round; empty without any.
      seconds: of the whole fit.
    """

    denoiser: TableNetwork
    params: Params
    history: list[float]
    seconds: float


def table_mesh() -> Mesh:
    """One device on a CPU, where more are only threads; all of them elsewhere."""
    return make_mesh(1 if jax.default_backend() == "cpu" else None)


def fit_network(
    codec: TableCodec, encoded: Encoded, excluded_rows: np.ndarray, recipe: Recipe,
    *, seed: int, verbose: int = 0, keep_in: Path | None = None,
) -> Fitted:  # fmt: skip
    """Trains K networks, each but on the rows that it has `excluded_rows [N, K]`.

    Those watch. With `keep_in`, a folder, a fit that was killed goes on where it stood.
    """
    clock = time.perf_counter()
    data, members = (
        _training_rows(codec, encoded, excluded_rows),
        excluded_rows.shape[1],
    )
    factors = None
    if len(data) < recipe.factor_rows:
        assert data.context is not None
        factors = fit_factors(codec, data.tokens, data.context, data.excluded_rows)
    settings = {name: getattr(recipe, name) for name in SETTINGS}
    settings["width"] = recipe.channels(len(data))
    network = network_of(codec, factors, members, **settings)
    trainer = make_trainer(network, data, recipe, seed)
    validation = _validation(network, encoded, excluded_rows, trainer, seed)
    kept = None
    if keep_in is not None:
        kept = FitCheckpoint(keep_in, fingerprint(encoded, excluded_rows, recipe, seed))
    deadline = np.inf if recipe.max_time is None else clock + recipe.max_time
    hooks = EarlyStop(
        trainer=trainer, validation=validation, patience=recipe.patience,
        deadline=deadline, verbose=verbose, kept=kept,
    )  # fmt: skip
    progress = hooks.resume(trainer.start())
    try:
        trainer.run(progress, hooks)
    except Interrupted:
        pass
    except TrainingDiverged:
        if hooks.best is None:
            raise
    finally:
        if kept is not None:
            kept.close()
    params = hooks.best
    if params is None:
        params = jax.device_get(trainer.sampling_params(progress))
    return Fitted(
        denoiser=network, params=params, history=hooks.history,
        seconds=time.perf_counter() - clock,
    )  # fmt: skip


def _training_rows(
    codec: TableCodec, encoded: Encoded, excluded_rows: np.ndarray
) -> IncompleteData:
    """All rows that one network or another learns from."""
    rows = ~excluded_rows.all(axis=1)
    return IncompleteData(
        tokens=encoded.tokens[rows], shape=(codec.length,),
        num_values=codec.num_values, context=encoded.context[rows],
        excluded_rows=None if excluded_rows.shape[1] == 1 else excluded_rows[rows],
    )  # fmt: skip


def _validation(
    network: TableNetwork, encoded: Encoded, excluded_rows: np.ndarray, trainer: Trainer,
    seed: int,
) -> Validation | None:  # fmt: skip
    """The left-out rows with some cells hidden; None where there is no such cell."""
    rows = excluded_rows.any(axis=1)
    if not rows.any():
        return None
    rng = keys.host_rng(seed, keys.Purpose.EVALUATION)
    x = encoded.tokens[rows]
    z = hide_some(x, network.num_values, rng)
    judge, context = out_of_fold(network, encoded.context[rows], excluded_rows[rows])
    made = Validation(
        functions=RowFunctions(judge, trainer.mesh, 512, Sampler()), x=x, z=z,
        context=context,
    )  # fmt: skip
    return made if made.hidden.any() else None


def make_trainer(
    network: TableNetwork, data: IncompleteData, recipe: Recipe, seed: int
) -> Trainer:
    """The `Trainer` of a recipe."""
    mesh = table_mesh()
    size = mesh.size
    members = network.size if isinstance(network, Ensemble) else 1
    batch = min(recipe.batch(len(data)), max(LEAST_BATCH, len(data)))
    batch = max(size, batch // size * size)
    total = recipe.steps(len(data))
    rounds = min(recipe.rounds, total)
    per_round = -(-total // rounds)
    plan = Plan(
        rounds=rounds, steps_per_round=per_round, batch_size=batch,
        estep_batch_size=2 * batch, ema_decay=0.99, log_every=per_round, seed=seed,
    )  # fmt: skip
    # A fit of one round, or one that starts EM at its end, has none.
    start = recipe.em_start if recipe.em_start < 1 < rounds else None
    drawn = min(1.0, 2 * per_round * batch / max(1, len(data)))
    draws = Sampler(num_reveals=4)  # one sampler, one compiled program
    estep = EStep.over(
        rounds, start, first=draws, fraction=0.5,
        rows=drawn, first_rows=drawn, sampler=draws,
    )  # fmt: skip
    first_step = (estep.first_round or 0) * per_round
    objective = _objective(recipe, first_step, per_round, network.length)
    optimizer = make_optimizer(
        learning_rate=recipe.rate(len(data)), warmup_steps=100,
        total_steps=rounds * per_round, weight_decay=recipe.decay(len(data)),
        clip_norm=1.0 / members,  # the loss is the mean of theirs
    )  # fmt: skip
    if members > 1:
        optimizer = per_member(optimizer)
    return Trainer(network, data, objective, estep, plan, optimizer, mesh)


def _objective(recipe: Recipe, start: int, ramp: int, length: int) -> Objective:
    """The loss; its consistency part grows over `ramp` steps from step `start` on."""
    hard = Consistency(teacher="ema", gap=0.3) if recipe.consistency_weight else None
    return Objective(
        imputed_weight=recipe.imputed_weight, natural_share=recipe.natural_share,
        consistency=hard, consistency_weight=recipe.consistency_weight,
        consistency_start=start, consistency_ramp=ramp, consistency_waits=True,
        queries=QueryMasking(copied=recipe.copied_share, light=recipe.light_share),
        t_min=1.0 / max(length, 1),
    )  # fmt: skip
