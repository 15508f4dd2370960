"""Fits the network of a table: the trainer of pictures, stopped by held-out cells."""

import time
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from ambient_jax import keys
from ambient_jax.assembly.assemble import assemble
from ambient_jax.data.dataset import IncompleteData
from ambient_jax.data.missingness import MCAR, mask_tokens
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.errors import TrainingDiverged
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.mesh import make_table_mesh, table_batch_size
from ambient_jax.tabular.columns.codec import Encoded, TableCodec
from ambient_jax.tabular.fitting.early_stopping import (
    HIDE_RATE,
    EarlyStopping,
    Validation,
)
from ambient_jax.tabular.fitting.network import (
    SETTINGS,
    TableNetwork,
    network_of,
    out_of_fold,
)
from ambient_jax.tabular.fitting.recipe import Recipe
from ambient_jax.tabular.linear.warm_start import fit_factors
from ambient_jax.training.hooks import Interrupted
from ambient_jax.training.trainer import Trainer
from ambient_jax.types import Params


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The result of a fit.

    Attributes:
      denoiser, params: the network and its best parameters.
      history: validation score of each round, in nats per held-out cell; empty without
        held-out cells.
      seconds: duration of the fit.
    """

    denoiser: TableNetwork
    params: Params
    history: list[float]
    seconds: float


def fit_network(
    codec: TableCodec, encoded: Encoded, excluded_rows: np.ndarray, recipe: Recipe,
    *, seed: int, verbose: int = 0, checkpoint_dir: Path | None = None,
) -> Fitted:  # fmt: skip
    """Trains an ensemble of K networks, or one network.

    Network k never trains on rows where `excluded_rows[:, k]` is true; they validate
    it.

    Args:
      codec, encoded: vocabularies of the columns, and the rows as tokens.
      excluded_rows: `[N, K]` bool.
      recipe, seed: sizes, and root of all randomness.
      verbose: 1 shows a progress bar.
      checkpoint_dir: folder from which a killed fit continues; None: it cannot.

    Raises:
      TrainingDiverged: the loss was not finite before the first round ended.
    """
    clock = time.perf_counter()
    network, trainer = _assembled(codec, encoded, excluded_rows, recipe, seed)
    checkpoints = None
    if checkpoint_dir is not None:
        # Orbax takes a second to load, which other fits need not wait for.
        from ambient_jax.tabular.fitting.checkpoint import FitCheckpoint, fingerprint

        identity = fingerprint(encoded, excluded_rows, recipe, seed)
        checkpoints = FitCheckpoint(checkpoint_dir, identity)
    deadline = np.inf if recipe.max_time is None else clock + recipe.max_time
    hooks = EarlyStopping(
        trainer=trainer, patience=recipe.patience, deadline=deadline, verbose=verbose,
        validation=_validation(network, encoded, excluded_rows, trainer, seed),
        checkpoints=checkpoints,
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
        hooks.close()
        if checkpoints is not None:
            checkpoints.close()
    params = hooks.best
    if params is None:
        params = jax.device_get(trainer.sampling_params(progress))
    return Fitted(
        denoiser=network, params=params, history=list(hooks.history),
        seconds=time.perf_counter() - clock,
    )  # fmt: skip


def _assembled(
    codec: TableCodec, encoded: Encoded, excluded_rows: np.ndarray, recipe: Recipe,
    seed: int,
) -> tuple[TableNetwork, Trainer]:  # fmt: skip
    """Returns the network and its trainer."""
    data, members = (
        _training_rows(codec, encoded, excluded_rows),
        excluded_rows.shape[1],
    )
    factors = None
    if len(data) < recipe.factor_rows:
        assert data.context is not None
        factors = fit_factors(codec, data.tokens, data.context, data.excluded_rows)
    fields = {name: getattr(recipe, name) for name in SETTINGS}
    fields["width"] = recipe.channels(len(data))
    network = network_of(codec, factors, members, **fields)
    mesh = make_table_mesh()
    settings = recipe.settings(len(data), mesh.size, seed)
    return network, assemble(network, data, settings, mesh)


def _training_rows(
    codec: TableCodec, encoded: Encoded, excluded_rows: np.ndarray
) -> IncompleteData:
    """Returns the rows that at least one network trains on."""
    rows = ~excluded_rows.all(axis=1)
    return IncompleteData(
        tokens=encoded.tokens[rows], shape=(codec.length,),
        num_values=codec.num_values, context=encoded.context[rows],
        excluded_rows=None if excluded_rows.shape[1] == 1 else excluded_rows[rows],
    )  # fmt: skip


def _validation(
    network: TableNetwork, encoded: Encoded, excluded_rows: np.ndarray,
    trainer: Trainer, seed: int,
) -> Validation | None:  # fmt: skip
    """Returns the excluded rows with some cells masked; None without such a cell."""
    rows = excluded_rows.any(axis=1)
    if not rows.any():
        return None
    rng = keys.host_rng(seed, keys.Purpose.EVALUATION)
    x = encoded.tokens[rows]
    z = mask_tokens(MCAR(rate=HIDE_RATE), x, network.num_values, rng)
    judge, context = out_of_fold(network, encoded.context[rows], excluded_rows[rows])
    functions = RowFunctions(judge, trainer.mesh, table_batch_size(), Sampler())
    validation = Validation(functions=functions, x=x, z=z, context=context)
    return validation if validation.predicted.any() else None
