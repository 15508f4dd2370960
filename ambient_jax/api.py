"""The functions of `import ambient_jax as aj`: what `launch.py` does, in a notebook."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from ambient_jax.assembly.assemble import assemble
from ambient_jax.assembly.priors import PriorBuilder
from ambient_jax.assembly.settings import SMALL, FamilySettings, Settings
from ambient_jax.data.dataset import Dataset
from ambient_jax.data.load import from_rows, load_dataset
from ambient_jax.data.missingness import MCAR, Missingness
from ambient_jax.data.npz import check_arrays
from ambient_jax.data.text import is_text, load_text
from ambient_jax.data.tokenizer import Threshold, Tokenizer
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.errors import UserError
from ambient_jax.mesh import make_mesh
from ambient_jax.model import Model
from ambient_jax.networks.text_transformer import TextTransformer
from ambient_jax.networks.transformer import Transformer
from ambient_jax.networks.unet import UNet
from ambient_jax.training.bars import TerminalBar
from ambient_jax.training.hooks import Bar, Quiet
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
    """A data set by name (`digits`, `mnist`, `PATH.npz`, `text`) or from an array.

    Args:
      source: a name, `text:PATH` for a UTF-8 file or a folder of them, or integers
        `[N, H, W]` / `[N, L]`, values 0..V-1, -1 if missing.
      x_test: complete rows to judge by, for an array.
      missingness: hides cells where the rows are complete; default `MCAR(rate=0.9)`.
      tokenizer: from grey levels to tokens, for pictures; default `Threshold()`.
      sizes: `num_train`, `num_valid`, `num_test`; `side` and `dir` for pictures;
        `length`, `alphabet` and `gap` for text (see `data.text.load_text`).

    Examples:
      >>> rows = np.random.default_rng(0).integers(-1, 3, (100, 6))
      >>> data = load_data(rows)
      >>> len(data.train), len(data.valid), data.train.num_values
      (90, 10, 3)

    Raises:
      UserError: the data cannot be used; says what to do.
    """
    missingness = missingness or MCAR(rate=0.9)
    if isinstance(source, str) and is_text(source):
        if tokenizer is not None:
            raise UserError("tokenizer applies to pictures; text has an alphabet")
        return load_text(source, missingness=missingness, seed=seed, **sizes)
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
    """A `UNet` for pictures, a `TextTransformer` for text, a `Transformer` for other
    `[N, L]` rows; `fields` are theirs.

    Examples:
      >>> rows = np.random.default_rng(0).integers(-1, 3, (100, 6))
      >>> build_denoiser(load_data(rows), width=32, depth=1).length
      6
    """
    shape, values = data.train.shape, data.train.num_values
    if len(shape) == 2:
        return UNet(shape=(shape[0], shape[1]), num_values=values, **fields)
    kind = Transformer if data.alphabet is None else TextTransformer
    return kind(length=shape[0], num_values=values, **fields)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Settings of `fit`; the defaults are those of `configs/em_consistency.py:digits`.

    Attributes:
      rounds, steps_per_round, batch_size: length of the training.
      learning_rate: peak of the schedule.
      em: whether there are E-steps; without them it is the baseline.
      prior: what draws the first completions; None: the network draws all of them.
      sampler: of the model that is returned.
      family: settings of the diffusion family, such as the form of the loss.
      seed: root of all randomness.
    """

    rounds: int = SMALL.rounds
    steps_per_round: int = SMALL.steps_per_round
    batch_size: int = SMALL.batch_size
    learning_rate: float = SMALL.learning_rate
    em: bool = SMALL.em
    prior: PriorBuilder | None = SMALL.prior
    sampler: Sampler = SMALL.sampler
    family: FamilySettings = SMALL.family
    seed: int = SMALL.seed

    def settings(self, devices: int) -> Settings:
        """Returns the settings of the run, whose batch size the devices divide."""
        batch = max(devices, self.batch_size // devices * devices)
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields |= {"batch_size": batch, "estep_batch_size": 2 * batch}
        return dataclasses.replace(SMALL, **fields)


def fit(data: Dataset, denoiser: Denoiser, settings: Fit | None = None) -> Model:
    """Trains on `data.train`, the incomplete rows, and nothing else.

    It shows a progress bar on a terminal. For runs that survive a kill, with figures
    and a report, use `launch.py`.

    Args:
      data: from `load_data`.
      denoiser: from `build_denoiser`, or your own.
      settings: default `Fit()`.

    Raises:
      UserError: a setting cannot be used, or the loss is not finite.
    """
    mesh, chosen = make_mesh(), settings or Fit()
    made = chosen.settings(mesh.size)
    trainer = assemble(denoiser, data.train, made, mesh)
    progress = trainer.run(trainer.start(), _Bars(made.rounds))
    return Model(
        denoiser=denoiser, params=trainer.sampling_params(progress),
        shape=data.train.shape, sampler=made.sampler, mesh=mesh,
        batch_size=made.estep_batch_size,
    )  # fmt: skip


class _Bars(Quiet):
    def __init__(self, rounds: int):
        self._rounds = rounds

    def bar(self, phase: str, round_: int, total: int, done: int) -> Bar:
        return TerminalBar(f"round {round_ + 1}/{self._rounds} {phase}", total, done)
