"""What the M-step minimises: the easy loss plus `weight` times the consistency loss."""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.consistency import Consistency, consistency_loss
from ambient_jax.diffusion.masked.losses import easy_loss, low_discrepancy_times
from ambient_jax.diffusion.masked.query_masking import Hidden, QueryMasking
from ambient_jax.diffusion.masked.schedules import Linear, Schedule, elbo_weight
from ambient_jax.networks.ensemble import Ensemble
from ambient_jax.types import Context, Denoiser, Params, RootKey, Tokens, bind


class Batch(NamedTuple):
    """Rows of the incomplete data and their current completions.

    Before the first E-step a completion is the incomplete row itself, so that one
    train step serves the oracle, the baseline and EM alike.
    """

    tokens: Tokens | np.ndarray  # MASK where never observed
    completion: Tokens | np.ndarray  # equals `tokens` where observed
    context: Context | np.ndarray | None = None  # of the observed tokens
    # Of an ensemble, see `IncompleteData`; of one network, whether it leaves it out.
    excluded_rows: Bool[Array, "B K"] | Bool[Array, " B"] | np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The training loss and all its weights.

    Attributes:
      schedule: noise schedule of the forward process.
      imputed_weight: weight of an imputed target against 1 for an observed one, >= 0.
        Under MCAR any positive value has the same fixed point; small ones keep the
        noise of the imputations out of the gradient.
      natural_share: share of the rows of a batch that keep their natural sparse context
        (imputations hidden), in [0, 1]. The rest see completed rows.
      consistency: the form of the consistency loss; None leaves it out.
      consistency_weight: its weight (lambda) after the ramp.
      consistency_start: step at which the ramp starts; before it, the weight is 0.
      consistency_ramp: steps over which the weight grows from 0 to full.
      consistency_waits: not computed while its weight is 0. On a CPU XLA runs
        convolutions inside a `lax.cond` twenty times slower, so not for pictures.
      queries: hides part of the rows as queries are; None: all by the ELBO's times.
      t_min: smallest time; 1 / L keeps the weight of a row below that of L tokens.
    """

    schedule: Schedule = field(default_factory=Linear)
    imputed_weight: float = 0.1
    natural_share: float = 0.5
    consistency: Consistency | None = None
    consistency_weight: float = 0.0
    consistency_start: int = 0
    consistency_ramp: int = 1
    consistency_waits: bool = False
    queries: QueryMasking | None = None
    t_min: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 <= self.natural_share <= 1:
            raise ValueError(f"natural_share must lie in [0, 1]: {self.natural_share}")
        for name in ("imputed_weight", "consistency_weight", "consistency_ramp"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be below 0: {getattr(self, name)}")

    def natural_rows(self, num_rows: int) -> Bool[Array, "B 1"]:
        """The rows of a batch that hide their imputations: spread evenly over it.

        The times run along the batch too, so that both kinds see all of them.
        """
        before = np.floor(np.arange(num_rows + 1) * self.natural_share)
        return jnp.asarray(np.diff(before) > 0)[:, None]

    @property
    def _redraws(self) -> bool:
        return self.consistency is not None and self.consistency.form == "martingale"

    def __call__(
        self,
        denoiser: Denoiser,
        params: Params,
        batch: Batch,
        step: Int[Array, ""],
        key: RootKey,
        ema: Params = None,
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """Loss of one batch and its parts (`loss`, `easy_loss`, `consistency_loss`).

        `ema` are the averaged parameters, for a consistency loss that has them teach.
        Of an `Ensemble` it is the mean over the members, each by itself, with a key of
        its own, and on the rows that it must not leave out.
        """
        if isinstance(denoiser, Ensemble):

            def of_member(excluded_rows, params, fields, key, ema):
                rows = batch._replace(excluded_rows=excluded_rows)
                return self(denoiser.member_with(fields), params, rows, step, key, ema)

            split = jax.random.split(key, denoiser.size)
            excluded_rows = (
                None
                if batch.excluded_rows is None
                else jnp.asarray(batch.excluded_rows).T
            )
            fields = denoiser.member_fields
            each = jax.vmap(of_member)(excluded_rows, params, fields, split, ema)
            return jax.tree.map(lambda x: x.mean(axis=0), each)
        mask = denoiser.num_values
        tokens = batch.tokens.astype(jnp.int32)
        completion = batch.completion.astype(jnp.int32)
        k_time, k_hide, k_consistency = jax.random.split(key, 3)
        natural = self.natural_rows(len(tokens))
        x = jnp.where(natural, tokens, completion)
        counted = jnp.ones_like(natural)
        if batch.excluded_rows is not None:
            # Without a known token a row has no loss; its pattern may still be copied.
            counted = ~batch.excluded_rows.astype(bool)[:, None]
            x = jnp.where(counted, x, mask)
        z, t, row_weight = self._hide(x, tokens == mask, k_time, k_hide, mask)
        told = None if batch.context is None else jnp.asarray(batch.context)
        if self._redraws and told is not None:
            raise ValueError(
                "the martingale form redraws tokens, beside which the context would "
                "still tell the hidden ones; use form=kl"
            )
        denoise = bind(denoiser, params, told)
        logits = denoise(z)
        weight = jnp.where(tokens != mask, 1.0, self.imputed_weight)
        easy = easy_loss(logits, x, z, weight, row_weight, mask)
        parts = {"easy_loss": easy}
        total = easy
        if self.consistency is not None:
            by_ema = self.consistency.teacher == "ema"
            teacher = bind(denoiser, ema, told) if by_ema else denoise
            if self.consistency.rows == "natural":
                counted &= natural
            hard, scale = self._consistency(
                denoise, teacher, z, logits, x, t, counted, step, k_consistency
            )
            parts["consistency_loss"] = hard
            total = easy + scale * hard
        return total, parts | {"loss": total}

    def _hide(self, x, unknown, k_time, k_hide, mask) -> Hidden:
        t = low_discrepancy_times(k_time, len(x), self.t_min)
        u = jax.random.uniform(k_hide, x.shape)
        z = absorbing.forward(u, x, self.schedule.alpha(t), mask)
        noisy = Hidden(z, t, elbo_weight(self.schedule, t))
        if self.queries is None:
            return noisy
        return self.queries(u, x, unknown, noisy, mask)

    def _consistency(self, denoise, teacher, z, logits, x, t, counted, step, key):
        assert self.consistency is not None
        settings = self.consistency
        ramp = (step - self.consistency_start) / max(self.consistency_ramp, 1)
        scale = self.consistency_weight * jnp.clip(ramp, 0.0, 1.0)

        def hard() -> Float[Array, ""]:
            return consistency_loss(
                denoise, teacher, z, logits, x, t, self.schedule, settings, key, counted
            )

        if not self.consistency_waits:
            return hard(), scale
        return jax.lax.cond(scale > 0, hard, lambda: jnp.zeros(())), scale
