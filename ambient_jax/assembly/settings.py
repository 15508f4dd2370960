"""One frozen dataclass with everything that decides a training run."""

import dataclasses
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ambient_jax.assembly.masked import MaskedSettings, round_at
from ambient_jax.assembly.priors import PriorBuilder, PriorSettings
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.family import Completer, Objective, Prior
from ambient_jax.training.estep import EStep
from ambient_jax.training.trainer import Plan


@runtime_checkable
class FamilySettings(Protocol):
    """Settings of one diffusion family; builds the two parts that are its own."""

    def default_start(self, missing_share: float) -> float:
        """Share of the run before the first E-step, in [0, 1)."""
        ...

    def objective(self, plan: Plan, start_round: int | None) -> Objective:
        """What the M-step minimises."""
        ...

    def completer(
        self, plan: Plan, start_round: int, missing_share: float
    ) -> Completer:
        """How the E-step draws."""
        ...


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides a training run, apart from its data and its network.

    The defaults are those of `configs/em_consistency.py` at full size: 28 x 28 pixels
    on a GPU or TPU. `SMALL` is for minutes on two cores.

    Attributes:
      rounds, steps_per_round, log_every, ema_decay, seed, new_networks: see `Plan`.
      batch_size, estep_batch_size: see `Plan`; rows over all devices.
      optimizer: `adamw` or `muon`.
      learning_rate, warmup_steps, weight_decay, clip_norm: see `make_optimizer`.
      em: whether there are E-steps.
      em_start: share of the rounds before the first E-step, in [0, 1); None: 0 with a
        prior, else by the missing share of the data.
      prior: what draws the first completions; None: the network draws all of them.
      initial_row_share, row_share, use_ema: see `EStep`.
      sampler: of samples and completions after training, of masked diffusion.
      family: settings of the diffusion family.

    Raises:
      ValueError: `em_start` lies outside its range.
    """

    rounds: int = 60
    steps_per_round: int = 469
    batch_size: int = 128
    estep_batch_size: int = 512
    log_every: int = Plan.log_every
    ema_decay: float = Plan.ema_decay
    seed: int = Plan.seed
    new_networks: bool = Plan.new_networks
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    em: bool = True
    em_start: float | None = None
    prior: PriorBuilder | None = PriorSettings()
    initial_row_share: float = EStep.initial_row_share
    row_share: float = EStep.row_share
    use_ema: bool = EStep.use_ema
    sampler: Sampler = Sampler(num_reveals=64, corrector_sweeps=16)
    family: FamilySettings = MaskedSettings()

    def __post_init__(self) -> None:
        if self.em_start is not None and not 0 <= self.em_start < 1:
            raise ValueError(f"em_start must lie in [0, 1), got {self.em_start}")

    @property
    def plan(self) -> Plan:
        """Length and batch sizes."""
        names = [field.name for field in dataclasses.fields(Plan)]
        return Plan(**{name: getattr(self, name) for name in names})

    def start_round(self, missing_share: float) -> int | None:
        """Round of the first E-step; None without EM.

        Args:
          missing_share: share of the training cells that is missing, in [0, 1].
        """
        if not self.em:
            return None
        start = self.em_start
        if start is None and self.prior is not None:
            start = 0.0
        if start is None:
            start = self.family.default_start(missing_share)
        return round_at(start, self.rounds)

    def estep(self, missing_share: float, prior: Prior | None = None) -> EStep:
        """When and how the completions are drawn.

        Args:
          missing_share: see `start_round`.
          prior: as `PriorBuilder.prior_of` returns it; None: there is none.
        """
        start = self.start_round(missing_share)
        by_prior = 0
        if self.prior is not None and prior is not None:
            by_prior = self.prior.rounds(self.rounds)
        return EStep(
            prior=prior,
            prior_rounds=by_prior,
            start_round=start,
            completer=None
            if start is None
            else self.family.completer(self.plan, start, missing_share),
            initial_row_share=self.initial_row_share,
            row_share=self.row_share,
            use_ema=self.use_ema,
        )


SMALL = Settings(
    rounds=20, steps_per_round=50, estep_batch_size=256, ema_decay=0.995,
    learning_rate=2e-3, warmup_steps=100, family=MaskedSettings(
        initial_sampler=Sampler(num_reveals=40),
        refresh_sampler=Sampler(num_reveals=12),
    ),
)  # fmt: skip
"""Settings for a thousand small rows, such as 8 x 8 digits: minutes on two cores."""
