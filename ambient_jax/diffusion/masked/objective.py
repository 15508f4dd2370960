"""The objective of masked diffusion: easy loss plus weighted consistency loss."""

from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ambient_jax.diffusion.masked import absorbing
from ambient_jax.diffusion.masked.consistency import Consistency, consistency_loss
from ambient_jax.diffusion.masked.losses import easy_loss, low_discrepancy_times
from ambient_jax.diffusion.masked.query_masking import MaskedRows, QueryMasking
from ambient_jax.diffusion.masked.schedules import Linear, Schedule, elbo_weight
from ambient_jax.family import Batch, Metrics
from ambient_jax.types import Denoiser, Params, RootKey, bind

Number = int | float | Array
"""A number of the settings, which is an array where a program is compiled."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["imputed_weight", "consistency_weight", "consistency_start_step",
                 "consistency_ramp_steps"],
    meta_fields=["schedule", "natural_share", "consistency", "query_masking", "t_min",
                 "skip_unweighted_consistency"],
)  # fmt: skip
@dataclass(frozen=True, kw_only=True)
class MaskedObjective:
    """The training loss of masked diffusion (`family.Objective`).

    Its weights and times are leaves of a pytree: runs that differ in them alone share a
    compiled train step.

    Attributes:
      schedule: noise schedule of the forward process.
      imputed_weight: weight of an imputed target against 1 for an observed one, >= 0.
        Under MCAR any positive value has the same fixed point; small ones keep the
        noise of the imputations out of the gradient.
      natural_share: share of the rows of a batch that keep their natural sparse context
        (their imputations are masked), in [0, 1]. The others show completed rows.
      consistency: the form of the consistency loss; None omits it.
      consistency_weight: its weight (lambda) after the ramp, >= 0.
      consistency_start_step: step at which the ramp starts; the weight is 0 before it.
      consistency_ramp_steps: steps over which the weight grows from 0 to its full
        value.
      skip_unweighted_consistency: whether the consistency loss is not computed while
        its weight is 0. On a CPU XLA runs convolutions inside a `lax.cond` twenty times
        slower, so this is for networks without convolutions.
      query_masking: masks part of the rows like queries; None: all rows are masked at
        the times of the ELBO.
      t_min: smallest time in (0, 1); None: 1 / L, which keeps the weight of a row below
        that of L tokens.
    """

    schedule: Schedule = field(default_factory=Linear)
    imputed_weight: Number = 0.1
    natural_share: float = 0.5
    consistency: Consistency | None = None
    consistency_weight: Number = 0.0
    consistency_start_step: Number = 0.0
    consistency_ramp_steps: Number = 1.0
    skip_unweighted_consistency: bool = False
    query_masking: QueryMasking | None = None
    t_min: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.natural_share <= 1:
            raise ValueError(f"natural_share must lie in [0, 1]: {self.natural_share}")
        for name in ("imputed_weight", "consistency_weight", "consistency_ramp_steps"):
            value = getattr(self, name)
            if isinstance(value, int | float) and not value >= 0:
                raise ValueError(f"{name} must not be below 0: {value}")

    @property
    def metric_names(self) -> tuple[str, ...]:
        """`loss`, `easy_loss` and, where it is computed, `consistency_loss`."""
        names = ("loss", "easy_loss")
        return names if self.consistency is None else (*names, "consistency_loss")

    def natural_rows(self, num_rows: int) -> Bool[Array, "B 1"]:
        """Returns which rows of a batch mask their imputations.

        They are spread evenly: the times run along the batch too, so that natural and
        completed rows see all of them.
        """
        before = np.floor(np.arange(num_rows + 1) * self.natural_share)
        return jnp.asarray(np.diff(before) > 0)[:, None]

    def __call__(
        self,
        denoiser: Denoiser,
        params: Params,
        batch: Batch,
        step: Int[Array, ""],
        key: RootKey,
        ema: Params = None,
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of one batch and its parts; see `family.Objective`.

        Raises:
          ValueError: the martingale form is asked for on rows with a context. It draws
            tokens anew, and the context would still describe the old ones.
        """
        mask = denoiser.num_values
        tokens, completion = (
            jnp.asarray(x).astype(jnp.int32) for x in (batch.rows, batch.completion)
        )
        k_time, k_hide, k_consistency = jax.random.split(key, 3)
        natural = self.natural_rows(len(tokens))
        x = jnp.where(natural, tokens, completion)
        counted = jnp.ones_like(natural)
        if batch.excluded_rows is not None:
            # Without a known token a row has no loss; its pattern may still be copied.
            counted = ~batch.excluded_rows.astype(bool)[:, None]
            x = jnp.where(counted, x, mask)
        z, t, row_weight = self._mask(x, tokens == mask, k_time, k_hide, mask)
        context = None if batch.context is None else jnp.asarray(batch.context)
        self._check_context(context)
        denoise = bind(denoiser, params, context)
        logits = denoise(z)
        weight = jnp.where(tokens != mask, 1.0, self.imputed_weight)
        easy = easy_loss(logits, x, z, weight, row_weight, mask)
        parts = {"easy_loss": easy}
        total = easy
        if self.consistency is not None:
            by_ema = self.consistency.teacher == "ema"
            teacher = bind(denoiser, ema, context) if by_ema else denoise
            if self.consistency.rows == "natural":
                counted &= natural
            hard, scale = self._consistency(
                denoise, teacher, z, logits, x, t, counted, step, k_consistency
            )
            parts["consistency_loss"] = hard
            total = easy + scale * hard
        return total, parts | {"loss": total}

    def _check_context(self, context: Array | None) -> None:
        redraws = self.consistency is not None and self.consistency.form == "martingale"
        if redraws and context is not None:
            raise ValueError(
                "the martingale form draws tokens anew, but the context would still "
                "describe the old ones; use form=kl"
            )

    def _mask(self, x, unknown, k_time, k_hide, mask) -> MaskedRows:
        t_min = 1.0 / x.shape[1] if self.t_min is None else self.t_min
        t = low_discrepancy_times(k_time, len(x), t_min)
        u = jax.random.uniform(k_hide, x.shape)
        z = absorbing.forward(u, x, self.schedule.alpha(t), mask)
        noisy = MaskedRows(z, t, elbo_weight(self.schedule, t))
        if self.query_masking is None:
            return noisy
        return self.query_masking(u, x, unknown, noisy, mask)

    def _consistency(self, denoise, teacher, z, logits, x, t, counted, step, key):
        assert self.consistency is not None
        settings = self.consistency
        since = step.astype(jnp.float32) - self.consistency_start_step
        ramp = since / jnp.maximum(self.consistency_ramp_steps, 1.0)
        scale = self.consistency_weight * jnp.clip(ramp, 0.0, 1.0)

        def loss() -> Float[Array, ""]:
            return consistency_loss(
                denoise, teacher, z, logits, x, t, self.schedule, settings, key, counted
            )

        if not self.skip_unweighted_consistency:
            return loss(), scale
        return jax.lax.cond(scale > 0, loss, lambda: jnp.zeros(())), scale
