"""Turns a config into objects: the one module that reads its fields.

Every function takes the (locked) `ConfigDict` and returns library objects, which know
nothing of configs. A value that an object refuses becomes a `UserError` that names the
section. `configs/base.py` says what each field means.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar, get_args

import optax

from ambient_jax.data.dataset import Dataset
from ambient_jax.data.load import load_dataset
from ambient_jax.data.missingness import MECHANISMS
from ambient_jax.data.tokenizer import TOKENIZERS
from ambient_jax.diffusion.masked.consistency import (
    Consistency,
    Form,
    Rows,
    Side,
    Target,
    Teacher,
)
from ambient_jax.diffusion.masked.objective import Objective
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.diffusion.masked.schedules import SCHEDULES, Schedule
from ambient_jax.errors import UserError, nearest
from ambient_jax.experiment.config import Config
from ambient_jax.nesting import flatten
from ambient_jax.networks.transformer import Transformer
from ambient_jax.networks.unet import UNet
from ambient_jax.training.estep import EStep, round_at, start_and_end
from ambient_jax.training.optimizer import KINDS, make_optimizer
from ambient_jax.training.trainer import Plan
from ambient_jax.types import Denoiser

T = TypeVar("T")


def dataset(config: Config) -> Dataset:
    """Loads, tokenizes and masks the data of `config.data`."""
    c = config.data
    mechanism, tokenizer = c.missingness, c.tokenizer
    missing = choose("data.missingness.name", MECHANISMS, mechanism.name)
    tokens = choose("data.tokenizer.name", TOKENIZERS, tokenizer.name)
    return load_dataset(
        c.source,
        dir=c.dir,
        missingness=construct("data.missingness", missing, **_accepted(
            missing, rate=mechanism.rate, strength=mechanism.strength,
            size=mechanism.size,
        )),
        tokenizer=construct("data.tokenizer", tokens, **_accepted(
            tokens, threshold=tokenizer.threshold, num_values=tokenizer.num_values
        )),
        num_train=c.num_train, num_test=c.num_test, num_valid=c.num_valid,
        side=c.side, seed=c.seed, complete=c.complete,
    )  # fmt: skip


def denoiser(config: Config, shape: tuple[int, ...], num_values: int) -> Denoiser:
    """The network of `config.network` for rows of `shape` with V values."""
    c = config.network
    auto = "unet" if len(shape) == 2 else "transformer"
    makers: dict[str, Callable[[], Denoiser]] = {
        "unet": lambda: UNet(
            shape=_picture(shape), num_values=num_values, widths=tuple(c.widths),
            blocks=c.blocks, bottom_blocks=c.bottom_blocks, num_heads=c.num_heads,
            windows=tuple(c.windows), dtype=c.dtype,
        ),
        "transformer": lambda: Transformer(
            length=_length(shape), num_values=num_values, width=c.width, depth=c.depth,
            num_heads=c.num_heads, dtype=c.dtype,
        ),
    }  # fmt: skip
    name = auto if c.name == "auto" else c.name
    return construct("network", choose("network.name", makers, name))


def schedule(config: Config) -> Schedule:
    """The noise schedule of `config.objective`."""
    c = config.objective
    kind = choose("objective.schedule", SCHEDULES, c.schedule)
    return construct("objective", kind, **_accepted(kind, power=c.power))


def objective(config: Config, length: int, first_round: int | None) -> Objective:
    """The training loss; `length` is L, `first_round` that of the first E-step."""
    c, hard, steps = config.objective, config.consistency, config.train.steps_per_round
    start = first_round
    if hard.start is not None:
        start = round_at(_share("consistency.start", hard.start), config.train.rounds)
    for name, options in (
        ("form", Form), ("stop", Side), ("target", Target), ("teacher", Teacher),
        ("rows", Rows),
    ):  # fmt: skip
        chosen = getattr(hard, name)
        choose(f"consistency.{name}", dict.fromkeys(get_args(options)), chosen)
    form = construct(
        "consistency", Consistency,
        form=hard.form, stop=hard.stop, target=hard.target, teacher=hard.teacher,
        gap=hard.gap, rows=hard.rows,
    )  # fmt: skip
    return construct(
        "objective", Objective,
        schedule=schedule(config),
        imputed_weight=c.imputed_weight,
        natural_share=c.natural_share,
        consistency=form if hard.weight else None,
        consistency_weight=hard.weight,
        consistency_start=(start or 0) * steps,
        consistency_ramp=hard.ramp_rounds * steps,
        t_min=1.0 / length,
    )  # fmt: skip


def estep(config: Config, missing_share: float) -> EStep:
    """The E-step of `config.em`; `missing_share` is that of the training cells."""
    c = config.em
    start, final = start_and_end(missing_share)
    if not c.on:
        start = None
    elif c.start is not None:
        start = _share("em.start", c.start)
    refresh = construct(
        "em", Sampler,
        num_reveals=c.reveals, corrector_sweeps=c.corrector_sweeps,
        corrector_fraction=c.corrector_fraction,
    )  # fmt: skip
    return construct(
        "em", EStep.over,
        rounds=config.train.rounds, start=start, first=construct(
            "em", Sampler, num_reveals=c.first_reveals
        ),
        fraction=c.fraction, rows=c.rows, sampler=refresh, use_ema=c.use_ema,
        temperature=c.temperature,
        final_temperature=final if c.final_temperature is None else c.final_temperature,
    )  # fmt: skip


def plan(config: Config) -> Plan:
    """Rounds, steps and batch sizes."""
    c = config.train
    return construct(
        "train", Plan,
        rounds=c.rounds, steps_per_round=c.steps_per_round, batch_size=c.batch_size,
        estep_batch_size=c.estep_batch_size, log_every=c.log_every,
        ema_decay=config.optimizer.ema_decay, seed=config.seed,
    )  # fmt: skip


def optimizer(config: Config) -> optax.GradientTransformation:
    """The optimizer and its learning rate over the whole run."""
    c = config.optimizer
    return construct(
        "optimizer", make_optimizer, kind=choose("optimizer.name", KINDS, c.name),
        learning_rate=c.learning_rate, warmup_steps=c.warmup_steps,
        total_steps=config.train.rounds * config.train.steps_per_round,
        weight_decay=c.weight_decay, clip_norm=c.clip_norm,
    )  # fmt: skip


def sampler(config: Config) -> Sampler:
    """The sampler of samples and test completions."""
    c = config.sampler
    return construct(
        "sampler", Sampler,
        num_reveals=c.reveals, corrector_sweeps=c.corrector_sweeps,
        corrector_fraction=c.corrector_fraction,
    )  # fmt: skip


def check_numbers(config: Config) -> None:
    """Refuses values below their least, where no object that names the field does,
    and numbers that are not finite."""
    for field, value in flatten(config.to_dict()).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"config.{field} must be a finite number, got {value}")
    for field, least in LEAST.items():
        section, name = field.split(".")
        value = getattr(getattr(config, section), name)
        if value < least:
            raise UserError(f"config.{field} must be at least {least}, got {value}")


LEAST = {
    "data.seed": 0, "eval.every_rounds": 1, "eval.round_rows": 1, "eval.draws": 1,
    "eval.num_exact": 0, "eval.num_samples": 0, "checkpoint.keep": 1,
    "em.reveals": 1, "em.first_reveals": 1, "em.corrector_sweeps": 0,
    "sampler.reveals": 1, "sampler.corrector_sweeps": 0,
}  # fmt: skip


def choose(field: str, options: dict[str, T], name: str) -> T:
    """`options[name]`, or a `UserError` that names the nearest."""
    if name not in options:
        raise UserError(f"config.{field}={name!r} is unknown{nearest(name, options)}")
    return options[name]


def construct(section: str, maker: Callable[..., T], **fields: Any) -> T:
    """`maker(**fields)`; what it refuses is the user's to mend."""
    try:
        return maker(**fields)
    except (ValueError, TypeError) as error:
        raise UserError(f"config.{section}: {error}") from error


def _share(field: str, value: float) -> float:
    """`value`, a share of the run that leaves some of it."""
    if not 0 <= value < 1:
        raise UserError(f"config.{field} must lie in [0, 1), got {value}")
    return value


def _accepted(maker: Any, **fields: Any) -> dict[str, Any]:
    names = getattr(maker, "__dataclass_fields__", {})
    return {name: value for name, value in fields.items() if name in names}


def _picture(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2:
        raise ValueError(f"the unet needs rows of shape [H, W], got {list(shape)}")
    return shape[0], shape[1]


def _length(shape: tuple[int, ...]) -> int:
    length = 1
    for size in shape:
        length *= size
    return length
