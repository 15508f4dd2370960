"""The consistency (hard) loss: predictions along one trajectory must agree.

For a true posterior, `p(x_i | z_t)` is the mean of `p(x_i | z_s)` over what is revealed
between `t` and a cleaner `s < t` (a martingale). Two forms:

- pairwise KL (Daras et al. 2023, arXiv 2302.09057, carried over to tokens):
  `KL(p(.|z_s) || p(.|z_t))` where still masked in `z_s`;
- `martingale`: the squared defect of the mean, from two independent draws of `z_s`.
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.schedules import Schedule
from ambient_jax.types import Denoise, Logits, Positions, Tokens

Form = Literal["kl", "martingale"]
Side = Literal["cleaner", "noisier", "none"]
Target = Literal["soft", "argmax", "sample"]
Teacher = Literal["online", "ema"]
Rows = Literal["all", "natural"]


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """How the consistency loss is formed. Each field is one ablation.

    Attributes:
      form: `kl` (one draw of the cleaner side) or `martingale` (two draws).
      stop: the side that gets no gradient: `cleaner` (the published teacher),
        `noisier`, or `none` (both learn).
      target: the teacher's distribution in the `kl` form: `soft`, `argmax` (the
        published "forcing pixels") or `sample`. Anything but `soft` is a constant, so
        it needs `form = kl` and `stop = cleaner`.
      teacher: whose prediction the cleaner side is: the network that learns (`online`,
        as published) or its moving average (`ema`: the mean teacher of Tarvainen &
        Valpola 2017, arXiv 1703.01780). `ema` is a constant too.
      gap: how far `s` lies below `t`, in (0, 1]; small, because a bulk reveal from
        factorised marginals is not a joint sample.
      rows: `all` of a batch, or the `natural` ones alone, where the reveals of the `kl`
        form are observed values and never imputed ones.
    """

    form: Form = "kl"
    stop: Side = "cleaner"
    target: Target = "soft"
    teacher: Teacher = "online"
    gap: float = 0.1
    rows: Rows = "all"

    def __post_init__(self):
        if not 0 < self.gap <= 1:
            raise ValueError(f"gap must lie in (0, 1], got {self.gap}")
        constant = self.target != "soft" or self.teacher == "ema"
        if constant and (self.form, self.stop) != ("kl", "cleaner"):
            raise ValueError(
                f"target={self.target}, teacher={self.teacher} needs form=kl and "
                f"stop=cleaner (got form={self.form}, stop={self.stop})"
            )


def _stop(value: Array, stop: Side, side: Side) -> Array:
    return jax.lax.stop_gradient(value) if stop == side else value


def _mean_over(values: Float[Array, "B L"], where: Positions) -> Float[Array, ""]:
    return jnp.sum(jnp.where(where, values, 0.0)) / jnp.maximum(jnp.sum(where), 1.0)


def teacher_logp(
    logits: Logits, target: Target, key: Key[Array, ""]
) -> Float[Array, "B L V"]:
    """Log of the teacher's distribution: soft, or a one-hot of its mode or a draw.

    A one-hot's zeros are `-inf`; `kl_divergence` takes `0 log 0 = 0`.
    """
    if target == "soft":
        return jax.nn.log_softmax(logits)
    if target == "argmax":
        choice = jnp.argmax(logits, axis=-1)
    else:
        u = jax.random.uniform(key, logits.shape[:-1])
        choice = absorbing.draw_values(u, logits)
    return jnp.log(jax.nn.one_hot(choice, logits.shape[-1]))


def kl_divergence(
    logp: Float[Array, "B L V"], logq: Float[Array, "B L V"]
) -> Float[Array, "B L"]:
    """`KL(p || q)` in nats over the last axis, with `0 log 0 = 0`."""
    p = jnp.exp(logp)
    finite = jnp.where(p > 0, logp, 0.0)
    return jnp.sum(p * (finite - jnp.where(p > 0, logq, 0.0)), axis=-1)


def kl_consistency(
    logits_s: Logits,
    logits_t: Logits,
    where: Positions,
    settings: Consistency,
    key: Key[Array, ""],
) -> Float[Array, ""]:
    """Mean `KL(p(.|z_s) || p(.|z_t))` over `where`: tokens still masked in `z_s`.

    In nats per token. One revealed between the two carries only variance.
    """
    logp = _stop(teacher_logp(logits_s, settings.target, key), settings.stop, "cleaner")
    logq = _stop(jax.nn.log_softmax(logits_t), settings.stop, "noisier")
    return _mean_over(kl_divergence(logp, logq), where)


def martingale_products(
    logits_s1: Logits, logits_s2: Logits, logits_t: Logits, stop: Side
) -> Float[Array, "B L"]:
    """`<p(z_s1) - p(z_t), p(z_s2) - p(z_t)>` of each token.

    Its expectation over two independent draws of `z_s` from `p(z_s | z_t)` is
    `|| E p(.|z_s) - p(.|z_t) ||^2`: zero exactly for a consistent model, while one
    draw can be negative.
    """
    p_t = _stop(jax.nn.softmax(logits_t), stop, "noisier")
    p_1 = _stop(jax.nn.softmax(logits_s1), stop, "cleaner")
    p_2 = _stop(jax.nn.softmax(logits_s2), stop, "cleaner")
    return jnp.sum((p_1 - p_t) * (p_2 - p_t), axis=-1)


def consistency_loss(
    denoise: Denoise,
    teacher: Denoise,
    z_t: Tokens,
    logits_t: Logits,
    x: Tokens,
    t: Float[Array, "B 1"],
    schedule: Schedule,
    settings: Consistency,
    key: Key[Array, ""],
    rows: Bool[Array, "B 1"] | None = None,
) -> Float[Array, ""]:
    """The consistency loss of one batch, on top of the forward pass at `z_t`.

    The `kl` form reveals tokens of `x` (observed or imputed) by the Bayes posterior and
    costs one more forward pass. The `martingale` form draws two cleaner states from the
    model's own reverse step, which share *where* they reveal and differ in *what*; it
    costs two.

    Args:
      denoise: the network under the current parameters.
      teacher: the network that predicts the cleaner side of the `kl` form.
      z_t, logits_t: the noisier state and the predictions at it.
      x: the data that `z_t` was made from; MASK where unknown.
      t: times of the rows.
      rows: those that count; None: all.
    """
    mask = logits_t.shape[-1]
    k_where, k_1, k_2 = jax.random.split(key, 3)
    s = jnp.maximum(t - settings.gap, 0.0)
    chance = absorbing.reveal_probability(schedule.alpha(s), schedule.alpha(t))
    u = jax.random.uniform(k_where, z_t.shape)
    counted = jnp.ones_like(t, bool) if rows is None else rows
    if settings.form == "kl":
        z_s = absorbing.reverse_step(u, z_t, x, chance, mask)
        where = (z_s == mask) & counted
        return kl_consistency(teacher(z_s), logits_t, where, settings, k_1)

    def cleaner(k: Key[Array, ""]) -> Tokens:
        values = absorbing.draw_values(jax.random.uniform(k, z_t.shape), logits_t)
        return absorbing.reverse_step(u, z_t, values, chance, mask)

    z_1, z_2 = cleaner(k_1), cleaner(k_2)
    products = martingale_products(denoise(z_1), denoise(z_2), logits_t, settings.stop)
    return _mean_over(products, (z_1 == mask) & counted)
