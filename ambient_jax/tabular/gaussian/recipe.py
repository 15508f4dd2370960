"""How DiffPuter learns a table: sizes of its network, its loop and its draws."""

from dataclasses import dataclass

import numpy as np

from ambient_jax.diffusion.gaussian.repaint import RepaintCompleter
from ambient_jax.diffusion.gaussian.sampling import EdmSampler
from ambient_jax.networks.edm_mlp import EdmMlp
from ambient_jax.training.optimizer import Optimizer, make_optimizer
from ambient_jax.training.trainer import Plan

MIN_BATCH = 32
"""Rows per step of a small table, some of which then occur twice in it."""

SIGMA_MIN = 0.002
"""Last noise level of a draw, as published."""


@dataclass(frozen=True, kw_only=True)
class DiffPuterRecipe:
    """Sizes of DiffPuter, by default some that two cores can afford.

    The published ones are 10 iterations, a perceptron of up to 2,048 channels, batches
    of 4,096 rows, at most 10,001 passes, 50 levels, 20 resamplings and 20 draws
    (arXiv 2405.20690).

    Attributes:
      iterations: pairs of an M-step and an E-step, at least 1.
      steps: train steps of an M-step.
      batch_size: rows per step; fewer for a table with fewer rows.
      learning_rate: peak; it falls along a cosine within each training.
      width, depth: of the network, see `EdmMlp`.
      num_levels: noise levels of a draw.
      sigma_max: highest noise level of a draw. Columns have a standard deviation of
        0.5, beside which 10 is all noise.
      resamplings: passes of each level.
      num_draws: draws whose mean completes a row.
      ema_decay: of the averaged parameters, which draw.

    Raises:
      ValueError: a value lies outside its range.
    """

    iterations: int = 10
    steps: int = 800
    batch_size: int = 256
    learning_rate: float = 1e-3
    width: int = 128
    depth: int = 3
    num_levels: int = 20
    sigma_max: float = 10.0
    resamplings: int = 5
    num_draws: int = 10
    ema_decay: float = 0.99

    def __post_init__(self) -> None:
        counts = ("iterations", "steps", "batch_size", "depth", "num_levels",
                  "resamplings", "num_draws")  # fmt: skip
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if not self.learning_rate > 0 or not 0 <= self.ema_decay < 1:
            raise ValueError(
                "learning_rate must be above 0 and ema_decay lie in [0, 1), got "
                f"{self.learning_rate}, {self.ema_decay}"
            )
        self.network(1)
        self.completer(1)

    def network(self, length: int) -> EdmMlp:
        """Returns the network of rows of `length` coordinates."""
        return EdmMlp(length=length, width=self.width, depth=self.depth)

    def plan(self, num_rows: int, corrected: bool, seed: int) -> Plan:
        """Returns the plan of the training of a table.

        Args:
          num_rows: N.
          corrected: whether a network goes on from the last one.
          seed: root of all randomness.
        """
        batch = self.batch_size
        if num_rows < batch:  # one of a few sizes, whose compiled programs are shared
            batch = max(MIN_BATCH, 2 ** int(np.log2(num_rows)))
        return Plan(
            rounds=self.iterations, steps_per_round=self.steps, batch_size=batch,
            estep_batch_size=2 * batch, ema_decay=self.ema_decay,
            log_every=self.steps, seed=seed, new_networks=not corrected,
        )  # fmt: skip

    def optimizer(self, corrected: bool) -> Optimizer:
        """Returns the optimizer; its schedule covers the training of one network."""
        total = self.steps * (self.iterations if corrected else 1)
        return make_optimizer(
            learning_rate=self.learning_rate, warmup_steps=min(100, total // 5),
            total_steps=total, weight_decay=0.0, clip_norm=1.0,
        )  # fmt: skip

    def completer(self, num_draws: int) -> RepaintCompleter:
        """Returns the completer whose completions are means of so many draws."""
        sampler = EdmSampler(
            num_steps=self.num_levels, sigma_max=self.sigma_max, sigma_min=SIGMA_MIN
        )
        return RepaintCompleter(
            sampler=sampler, resamplings=self.resamplings, num_draws=num_draws
        )
