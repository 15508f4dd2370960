"""The consistency (hard) loss: predictions along one trajectory must agree.

The predictions of a true posterior are a martingale: `p(x_i | z_t)` is the mean of
`p(x_i | z_s)` over the tokens revealed between `t` and a cleaner time `s < t`. The loss
that asks this of a network has two forms, and a third asks for one joint directly:

- `kl`: `KL(p(.|z_s) || p(.|z_t))` on the tokens that are still masked in `z_s`. It is
  the loss of Daras et al. 2023 (arXiv 2302.09057), carried over to tokens;
- `martingale`: the squared norm of the defect of the mean, estimated without bias from
  two independent draws of `z_s`;
- `swap`: the squared difference between the log joints of two tokens that are revealed
  in either order, see `order_gap`.
"""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.order_gap import choose_pair, reveal, swap_defect
from ambient_jax.diffusion.masked.schedules import Schedule
from ambient_jax.types import Denoise, Logits, Positions, Tokens

Form = Literal["kl", "martingale", "swap"]
Side = Literal["cleaner", "noisier", "none"]
Target = Literal["soft", "argmax", "sample"]
Teacher = Literal["online", "ema"]
Rows = Literal["all", "natural"]


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """Settings of the consistency loss. Each field is one ablation.

    Attributes:
      form: `kl` (one draw of the cleaner state), `martingale` (two draws) or `swap` (a
        pair of tokens in both orders).
      stop: the side that gets no gradient: `cleaner` (the published teacher),
        `noisier`, or `none` (both sides learn).
      target: distribution of the teacher in the `kl` form: `soft`, `argmax` (the
        published "forcing pixels") or `sample`. No gradient flows through the last two,
        so they need `form = kl` and `stop = cleaner`.
      teacher: the network that predicts the cleaner side: the one that learns
        (`online`, as published) or its moving average (`ema`, the mean teacher of
        Tarvainen & Valpola 2017, arXiv 1703.01780). No gradient flows through `ema`
        either, so it needs the same `form` and `stop`.
      gap: `t - s`, in (0, 1]. It is small, because tokens that are revealed at once
        from factorised marginals are not a sample of their joint.
      rows: `all` rows of a batch, or only the `natural` ones, on which the `kl` form
        reveals observed values and never imputed ones.

    Raises:
      ValueError: if `gap` is out of range, or `target` or `teacher` does not fit `form`
        and `stop`.
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
    """Log probabilities of the teacher, by the kind of its target.

    Args:
      logits: predictions of the teacher.
      target: `soft` for the predicted distribution itself, `argmax` for all mass on its
        mode, `sample` for all mass on one draw from it.
      key: used by `sample` only.

    Returns:
      Log probabilities; `-inf` where a one-hot target has no mass.
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
    """`KL(p || q) = sum_v p_v (log p_v - log q_v)` of each token, with `0 log 0 = 0`.

    Args:
      logp: log probabilities of `p`; they may be `-inf`.
      logq: log probabilities of `q`, finite wherever `p` has mass.

    Returns:
      Nats per token, at least 0 up to rounding.
    """
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
    """Mean of `KL(p(.|z_s) || p(.|z_t))` over the tokens of `where`.

    Args:
      logits_s: predictions of the teacher at the cleaner state `z_s`.
      logits_t: predictions at the noisier state `z_t`.
      where: the tokens that count: those still masked in `z_s`. A token revealed
        between the two states would add variance and nothing else.
      settings: `target` and `stop` are used.
      key: key of a sampled target.

    Returns:
      Nats per token, a scalar; 0 if no token counts.

    References:
      Daras et al. 2023 (arXiv 2302.09057).
    """
    logp = _stop(teacher_logp(logits_s, settings.target, key), settings.stop, "cleaner")
    logq = _stop(jax.nn.log_softmax(logits_t), settings.stop, "noisier")
    return _mean_over(kl_divergence(logp, logq), where)


def martingale_products(
    logits_s1: Logits, logits_s2: Logits, logits_t: Logits, stop: Side
) -> Float[Array, "B L"]:
    """Inner product `<p(.|z_s1) - p(.|z_t), p(.|z_s2) - p(.|z_t)>` of each token.

    Its expectation over two independent draws `z_s1`, `z_s2` from `p(z_s | z_t)` is
    `|| E p(.|z_s) - p(.|z_t) ||^2`, which is zero exactly for a consistent model. A
    single product may be negative.

    Args:
      logits_s1: predictions at the first cleaner state.
      logits_s2: predictions at the second cleaner state.
      logits_t: predictions at the noisier state.
      stop: the side that gets no gradient, see `Consistency`.

    Returns:
      One number in [-2, 2] per token.
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
    """The consistency loss of one batch, given the predictions at `z_t`.

    The `kl` form reveals tokens of `x` (observed or imputed) by the Bayes posterior
    `q(z_s | z_t, x)` and costs one more forward pass. The `martingale` form draws two
    cleaner states from the reverse step of the model, which reveal the same tokens with
    independent values, and costs two more forward passes. So does the `swap` form,
    which reveals either token of a pair of `x`.

    Args:
      denoise: the network under the current parameters.
      teacher: the network that predicts the cleaner side of the `kl` form.
      z_t: the noisier state.
      logits_t: predictions of `denoise` at `z_t`.
      x: the rows that `z_t` was made from; MASK where unknown.
      t: time of each row, in (0, 1].
      schedule: the schedule of the forward process.
      settings: the form of the loss.
      key: one key for the batch.
      rows: the rows that count; None counts all of them.

    Returns:
      A scalar: nats per token (`kl`), squared probability per token (`martingale`) or
      nats² per row (`swap`).

    References:
      Daras et al. 2023 (arXiv 2302.09057).
    """
    mask = logits_t.shape[-1]
    k_where, k_1, k_2 = jax.random.split(key, 3)
    s = jnp.maximum(t - settings.gap, 0.0)
    chance = absorbing.reveal_probability(schedule.alpha(s), schedule.alpha(t))
    u = jax.random.uniform(k_where, z_t.shape)
    counted = jnp.ones_like(t, bool) if rows is None else rows
    if settings.form == "swap":
        return _swap_loss(denoise, z_t, logits_t, x, u, counted, settings.stop)
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


def _swap_loss(
    denoise: Denoise, z: Tokens, logits: Logits, x: Tokens, u: Float[Array, "B L"],
    rows: Bool[Array, "B 1"], stop: Side,
) -> Float[Array, ""]:  # fmt: skip
    """The mean squared defect of one pair of known, masked tokens of each row."""
    mask = logits.shape[-1]
    i, j, valid = choose_pair(u, (z == mask) & (x != mask) & rows)
    x = jnp.minimum(x, mask - 1)  # rows without a pair do not count
    after_i, after_j = (
        _stop(denoise(reveal(z, x, at)), stop, "cleaner") for at in (i, j)
    )
    before = _stop(logits, stop, "noisier")
    defect = swap_defect(before, after_i, after_j, x, i, j)
    return _mean_over(jnp.square(defect)[:, None], valid[:, None])
