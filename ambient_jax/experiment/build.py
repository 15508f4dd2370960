"""Turns a config into objects: the one module that reads its fields.

Every function takes the (locked) `ConfigDict` and returns library objects, which know
nothing of configs. A value that an object refuses becomes a `UserError` that names the
section. `configs/base.py` says what each field means.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

from ambient_jax.assembly.assemble import build_optimizer
from ambient_jax.assembly.masked import MaskedSettings
from ambient_jax.assembly.priors import PRIORS, PriorSettings
from ambient_jax.assembly.settings import Settings
from ambient_jax.data.dataset import Dataset
from ambient_jax.data.load import Complete, load_dataset
from ambient_jax.data.missingness import MECHANISMS
from ambient_jax.data.text import is_text, load_text
from ambient_jax.data.tokenizer import TOKENIZERS
from ambient_jax.diffusion.masked.consistency import (
    Consistency,
    Form,
    Rows,
    Side,
    Target,
    Teacher,
)
from ambient_jax.diffusion.masked.query_masking import QueryMasking
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.diffusion.masked.schedules import SCHEDULES
from ambient_jax.errors import ArgumentError, UserError, nearest
from ambient_jax.experiment.config import Config
from ambient_jax.nesting import flatten
from ambient_jax.networks.text_transformer import TextTransformer
from ambient_jax.networks.transformer import Transformer
from ambient_jax.networks.unet import UNet
from ambient_jax.training.optimizer import KINDS
from ambient_jax.types import Denoiser

T = TypeVar("T")


def dataset(config: Config) -> Dataset:
    """Loads, tokenizes and masks the data of `config.data`.

    Raises:
      UserError: the data cannot be loaded; arguments are named as fields of the config.
    """
    c = config.data
    mechanism, tokenizer = c.missingness, c.tokenizer
    missing = choose("data.missingness.name", MECHANISMS, mechanism.name)
    tokens = choose("data.tokenizer.name", TOKENIZERS, tokenizer.name)
    choose("data.complete", dict.fromkeys(get_args(Complete)), c.complete)
    missingness = construct("data.missingness", missing, **accepted(
        missing, rate=mechanism.rate, strength=mechanism.strength, size=mechanism.size,
    ))  # fmt: skip
    tokenizer = construct("data.tokenizer", tokens, **accepted(
        tokens, threshold=tokenizer.threshold, num_values=tokenizer.num_values
    ))  # fmt: skip
    of_all = {
        "missingness": missingness, "num_train": c.num_train, "num_test": c.num_test,
        "num_valid": c.num_valid, "seed": c.seed, "complete": c.complete,
    }  # fmt: skip
    text = is_text(c.source)
    for name in ("side", "dir") if text else ("gap",):
        if c.get(name) is not None:
            kinds = "pictures, not to text" if text else "text"
            raise UserError(f"config.data.{name} applies to {kinds}; leave it out")
    try:
        if text:
            return load_text(
                c.source, length=c.length, alphabet=c.alphabet, gap=c.gap, **of_all
            )
        return load_dataset(
            c.source, dir=c.dir, tokenizer=tokenizer, side=c.side, **of_all
        )
    except ArgumentError as error:
        field = f"config.data.{error.argument}"
        asked_for = c[error.argument] is None  # then the message shows how to give it
        message = error.message_for(f"--{field}" if asked_for else field)
        if asked_for and c.source == "mnist":
            message += ", or use the :digits data, which need no download"
        raise UserError(message) from error


def denoiser(config: Config, shape: tuple[int, ...], num_values: int) -> Denoiser:
    """The network of `config.network` for rows of `shape` with V values."""
    c = config.network
    auto = "unet" if len(shape) == 2 else "transformer"
    auto = "text" if is_text(config.data.source) else auto
    of_rows = {
        "length": math.prod(shape), "num_values": num_values, "width": c.width,
        "depth": c.depth, "num_heads": c.num_heads, "dtype": c.dtype,
    }  # fmt: skip
    makers: dict[str, Callable[[], Denoiser]] = {
        "unet": lambda: UNet(
            shape=_picture(shape), num_values=num_values, widths=tuple(c.widths),
            blocks=c.blocks, bottom_blocks=c.bottom_blocks, num_heads=c.num_heads,
            windows=tuple(c.windows), dtype=c.dtype,
        ),
        "transformer": lambda: Transformer(**of_rows),
        "text": lambda: TextTransformer(**of_rows),
    }  # fmt: skip
    name = auto if c.name == "auto" else c.name
    return construct("network", choose("network.name", makers, name))


def settings(config: Config) -> Settings:
    """The training settings of a config; see `assembly/`."""
    c, e, o = config.train, config.em, config.optimizer
    _check_share("em.start", e.start)
    family = _family(config)
    choose("optimizer.name", KINDS, o.name)
    made = construct(
        "em", Settings,
        rounds=c.rounds, steps_per_round=c.steps_per_round, batch_size=c.batch_size,
        estep_batch_size=c.estep_batch_size, log_every=c.log_every, seed=config.seed,
        optimizer=o.name, learning_rate=o.learning_rate, warmup_steps=o.warmup_steps,
        weight_decay=o.weight_decay, clip_norm=o.clip_norm, ema_decay=o.ema_decay,
        em=e.on, em_start=e.start, initial_row_share=e.initial_row_share,
        row_share=e.row_share, use_ema=e.use_ema,
        sampler=_sampler("sampler", config.sampler), family=family,
        prior=_prior(config.prior),
    )  # fmt: skip
    construct("train", lambda: made.plan)
    construct("em", made.estep, missing_share=0.5)
    construct("objective", family.objective, plan=made.plan, start_round=None)
    construct("optimizer", build_optimizer, settings=made)
    return made


def _prior(c: Config) -> PriorSettings | None:
    choose("prior.name", dict.fromkeys(("none", *PRIORS)), c.name)
    if c.name == "none":
        return None
    return construct(
        "prior", PriorSettings,
        name=c.name, share=c.share, members=c.members, steps=c.steps,
    )  # fmt: skip


def _family(config: Config) -> MaskedSettings:
    c, hard, e = config.objective, config.consistency, config.em
    _check_share("consistency.start", hard.start)
    for name, options in (
        ("form", Form), ("stop", Side), ("target", Target), ("teacher", Teacher),
        ("rows", Rows),
    ):  # fmt: skip
        chosen = getattr(hard, name)
        choose(f"consistency.{name}", dict.fromkeys(get_args(options)), chosen)
    consistency = construct(
        "consistency", Consistency,
        form=hard.form, stop=hard.stop, target=hard.target, teacher=hard.teacher,
        gap=hard.gap, rows=hard.rows,
    )  # fmt: skip
    kind = choose("objective.schedule", SCHEDULES, c.schedule)
    return construct(
        "consistency", MaskedSettings,
        schedule=construct("objective", kind, **accepted(kind, power=c.power)),
        imputed_weight=c.imputed_weight, natural_share=c.natural_share,
        query_masking=_query_masking(c.copied_share),
        consistency=consistency, consistency_weight=hard.weight,
        consistency_start=hard.start, consistency_ramp_rounds=hard.ramp_rounds,
        initial_sampler=construct("em", Sampler, num_reveals=e.initial_reveals),
        refresh_sampler=_sampler("em", e),
        fraction=e.fraction, temperature=e.temperature,
        final_temperature=e.final_temperature,
    )  # fmt: skip


def _query_masking(copied_share: float) -> QueryMasking | None:
    """Masks a share of the rows as others are masked; None for a share of 0."""
    if copied_share == 0:
        return None
    return construct(
        "objective", QueryMasking, copied_share=copied_share, light_share=0.0
    )


def _sampler(section: str, c: Config) -> Sampler:
    """The sampler of a section with the fields of one."""
    return construct(
        section, Sampler,
        num_reveals=c.reveals, corrector_sweeps=c.corrector_sweeps,
        corrector_fraction=c.corrector_fraction,
    )  # fmt: skip


def check_numbers(config: Config) -> None:
    """Refuses numbers that are not finite or below the minimum of their field."""
    check_finite(config, MINIMUM)


def check_finite(config: Config, minima: Mapping[str, int]) -> None:
    """Refuses numbers that are not finite, or below the minimum that `minima` has."""
    for field, value in flatten(config.to_dict()).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"config.{field} must be a finite number, got {value}")
    for field, minimum in minima.items():
        section, name = field.split(".")
        value = getattr(getattr(config, section), name)
        if value < minimum:
            raise UserError(f"config.{field} must be at least {minimum}, got {value}")


MINIMUM = {
    "data.seed": 0, "eval.every_rounds": 1, "eval.round_rows": 1, "eval.num_draws": 1,
    "eval.num_exact": 0, "eval.num_samples": 0, "eval.num_interval_rows": 0,
    "checkpoint.keep": 1,
    "em.reveals": 1, "em.initial_reveals": 1, "em.corrector_sweeps": 0,
    "prior.members": 1, "prior.steps": 1,
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


def _check_share(field: str, value: float | None) -> None:
    """Refuses a share of the run that leaves nothing of it."""
    if value is not None and not 0 <= value < 1:
        raise UserError(f"config.{field} must lie in [0, 1), got {value}")


def accepted(maker: Any, **fields: Any) -> dict[str, Any]:
    """Returns those of the fields that a dataclass has."""
    names = getattr(maker, "__dataclass_fields__", {})
    return {name: value for name, value in fields.items() if name in names}


def _picture(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2:
        raise ValueError(f"the unet needs rows of shape [H, W], got {list(shape)}")
    return shape[0], shape[1]
