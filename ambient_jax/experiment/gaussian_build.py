"""Turns the config of a Gaussian run into objects: the module that reads its fields.

`configs/gaussian_base.py` says what each field means.
"""

from collections.abc import Callable
from typing import Any, cast, get_args

import numpy as np

from ambient_jax.assembly.assemble import build_optimizer
from ambient_jax.assembly.gaussian import (
    GaussianPriorSettings,
    GaussianSettings,
    Method,
)
from ambient_jax.assembly.settings import Settings
from ambient_jax.data.continuous import ContinuousDataset, Scaling
from ambient_jax.data.load_continuous import ContinuousSource
from ambient_jax.data.missingness import MECHANISMS
from ambient_jax.diffusion.gaussian.levels import LogNormal
from ambient_jax.diffusion.gaussian.posterior import PosteriorCompleter
from ambient_jax.diffusion.gaussian.sampling import EdmSampler
from ambient_jax.errors import ArgumentError, UserError
from ambient_jax.experiment.build import accepted, check_finite, choose, construct
from ambient_jax.experiment.config import Config
from ambient_jax.networks.edm_mlp import EdmMlp
from ambient_jax.networks.edm_unet import EdmUNet
from ambient_jax.training.optimizer import KINDS

METHODS: dict[str, Method] = {name: name for name in get_args(Method)}

MINIMUM = {
    "data.seed": 0, "eval.every_rounds": 1, "eval.round_rows": 1, "eval.num_draws": 1,
    "eval.num_samples": 0, "eval.num_interval_rows": 0, "checkpoint.keep": 1,
    "prior.rank": 1, "prior.iterations": 1, "em.cg_iterations": 1,
    "sampler.num_steps": 1,
}  # fmt: skip


def is_gaussian(config: Any) -> bool:
    """Whether a config is that of a Gaussian run."""
    return config is not None and config.get("family", "") == "gaussian"


def check_numbers(config: Config) -> None:
    """Refuses numbers that are not finite or below the minimum of their field."""
    check_finite(config, MINIMUM)


def dataset(config: Config) -> ContinuousDataset:
    """Loads, hides and scales the data of `config.data`.

    Raises:
      UserError: the data cannot be loaded, or do not fit the method; arguments are
        named as fields of the config.
    """
    c, m = config.data, config.data.missingness
    kind = choose("data.missingness.name", {"none": None, **MECHANISMS}, m.name)
    mechanism = None
    if kind is not None:
        fields = accepted(kind, rate=m.rate, strength=m.strength, size=m.size)
        mechanism = construct("data.missingness", kind, **fields)
    try:
        found = ContinuousSource(
            source=c.source, dir=c.dir, missingness=mechanism, noise=float(c.noise),
            num_train=c.num_train, num_test=c.num_test, side=c.side, seed=c.seed,
            complete=c.complete,
        ).load()  # fmt: skip
    except ArgumentError as error:
        field = f"config.data.{error.argument}"
        raise UserError(error.message_for(field)) from error
    _check_method(config, found)
    return found


def _check_method(config: Config, data: ContinuousDataset) -> None:
    """Refuses data with which the method has nothing to do."""
    complete = data.train.missing_share == 0
    method, noise = config.objective.method, config.data.noise
    if complete and (config.em.on or method == "ambient"):
        needs = (
            "config.em.on=True" if config.em.on else "config.objective.method=ambient"
        )
        raise UserError(
            f"{data.name}: no cell of the training rows is missing, and config.{needs} "
            "is for rows with holes; hide some (config.data.missingness) or train "
            "configs/gaussian_oracle.py"
        )
    if method == "cdmt" and not noise > 0:
        raise UserError(
            f"config.data.noise={noise}: method cdmt needs the level of the noise in "
            "the data, above 0"
        )
    if method != "cdmt" and noise and config.em.on:
        raise UserError(
            f"config.data.noise={noise}: EM for missing cells takes rows for clean; "
            "use configs/cdmt.py"
        )


def network_noise(config: Config, scaling: Scaling) -> float:
    """Level of the noise in the rows, in the unit of the network."""
    return float(config.data.noise / (2.0 * scaling.sd.max()))


def visible_share(config: Config, observed_share: float) -> float | None:
    """Share of the cells that the network is given in training; None: it reads no mask.

    Args:
      config: of the run.
      observed_share: share of the training cells that are observed.
    """
    if config.objective.method != "ambient":
        return None
    return observed_share * (1.0 - config.objective.hidden_share)


def denoiser(config: Config, shape: tuple[int, ...]) -> EdmMlp | EdmUNet:
    """The network of `config.network` for rows of a shape."""
    c, masked = config.network, config.objective.method == "ambient"
    makers: dict[str, Callable[[], EdmMlp | EdmUNet]] = {
        "mlp": lambda: EdmMlp(
            length=int(np.prod(shape)), width=c.width, depth=c.depth, masked=masked,
            dtype=c.dtype,
        ),
        "unet": lambda: EdmUNet(
            shape=shape, widths=tuple(c.widths), blocks=c.blocks,
            bottom_blocks=c.bottom_blocks, num_heads=c.num_heads,
            windows=tuple(c.windows), masked=masked, dtype=c.dtype,
        ),
    }  # fmt: skip
    return construct("network", choose("network.name", makers, c.name))


def sampler(config: Config, lowest: float = 0.0) -> EdmSampler:
    """The sampler of `config.sampler`, whose levels end at `lowest` or above."""
    c = config.sampler
    return construct(
        "sampler", EdmSampler, num_steps=c.num_steps, rho=c.rho, churn=c.churn,
        sigma_min=max(c.sigma_min, lowest), sigma_max=c.sigma_max, heun=c.heun,
    )  # fmt: skip


def settings(config: Config, noise: float) -> Settings:
    """The training settings of a config; see `assembly/`.

    Args:
      config: of the run.
      noise: of the rows, in the unit of the network.
    """
    c, e, o, m = config.train, config.em, config.optimizer, config.objective
    choose("optimizer.name", KINDS, o.name)
    trained_below = m.method != "cdmt" or m.consistency_weight > 0
    family = construct(
        "objective", GaussianSettings,
        method=choose("objective.method", METHODS, m.method),
        levels=construct("objective", LogNormal, mean=m.level_mean, sd=m.level_sd),
        imputed_weight=m.imputed_weight, hidden_share=m.hidden_share, noise=noise,
        consistency_weight=m.consistency_weight, gap=m.gap,
        sampler=sampler(config, 0.0 if trained_below else noise),
        observation_noise=e.observation_noise, iterations=e.cg_iterations,
    )  # fmt: skip
    prior = construct(
        "prior", GaussianPriorSettings, rank=config.prior.rank,
        iterations=config.prior.iterations, laps=config.prior.laps,
    )  # fmt: skip
    made = construct(
        "em", Settings,
        rounds=c.rounds, steps_per_round=c.steps_per_round, batch_size=c.batch_size,
        estep_batch_size=c.estep_batch_size, log_every=c.log_every, seed=config.seed,
        optimizer=o.name, learning_rate=o.learning_rate, warmup_steps=o.warmup_steps,
        weight_decay=o.weight_decay, clip_norm=o.clip_norm, ema_decay=o.ema_decay,
        em=e.on, em_start=0.0, row_share=e.row_share, family=family, prior=prior,
    )  # fmt: skip
    construct("train", lambda: made.plan)
    construct("em", made.estep, missing_share=0.5)
    construct("objective", family.objective, plan=made.plan, start_round=None)
    construct("optimizer", build_optimizer, settings=made)
    return made


def completer(config: Config, made: Settings) -> PosteriorCompleter:
    """The completer that draws after training, as in the E-step."""
    family = cast(GaussianSettings, made.family)
    return construct(
        "em", family.completer, plan=made.plan, start_round=0, missing_share=0.5
    )
