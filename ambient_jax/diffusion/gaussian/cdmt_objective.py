"""Consistent Diffusion Meets Tweedie: training on rows with noise of a known level."""

from dataclasses import dataclass
from typing import get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ambient_jax.diffusion.gaussian.consistency import Side, descend, martingale_defect
from ambient_jax.diffusion.gaussian.levels import LogNormal, log_uniform
from ambient_jax.diffusion.gaussian.losses import (
    Cells,
    cells_of,
    renoised,
    squared_error,
    tweedie_estimate,
)
from ambient_jax.diffusion.gaussian.preconditioning import Preconditioning
from ambient_jax.family import Batch, Metrics
from ambient_jax.types import Estimate, GaussianDenoiser, Params, RootKey, bind


@dataclass(frozen=True, kw_only=True)
class CdmtObjective:
    """The loss on noisy rows `y = x_0 + sigma_n n` (`family.Objective`).

    Above `sigma_n` rows at any level can be made from y, and the estimate of y that
    follows from that of `x_0` (`losses.tweedie_estimate`) is compared with y. Below it
    there are no such rows: the model draws them, and its estimates must agree along its
    own trajectories (`consistency.martingale_defect`).

    Attributes:
      noise: sigma_n, the standard deviation of the noise in the data, above 0.
      levels: noise levels that training sees; those above `noise` are drawn.
      preconditioning: of the network; `sigma_data` is that of the clean rows.
      consistency_weight: weight of the consistency loss, >= 0; 0 omits it.
      consistency_min: lowest level s of that loss, above 0.
      gap: ratio s / t of the two levels of that loss, in (0, 1).
      descent_steps: steps by which the model draws rows below `noise`, at least 1.
      stop: the side of the consistency loss that gets no gradient. `noisier` lets the
        levels above `noise`, which the data train, teach those below. With the other
        two an error that shrinks with the level grows without bound, because the draws
        between both sides, which it moves, carry no gradient.

    Raises:
      ValueError: a value lies outside its range.

    References:
      Daras et al. 2024 (arXiv 2404.10177).
    """

    noise: float
    levels: LogNormal = LogNormal()
    preconditioning: Preconditioning = Preconditioning()
    consistency_weight: float = 0.0
    consistency_min: float = 0.002
    gap: float = 0.7
    descent_steps: int = 4
    stop: Side = "noisier"

    def __post_init__(self) -> None:
        if not self.noise > 0:
            raise ValueError(f"noise must be above 0, got {self.noise}")
        if not self.consistency_weight >= 0 or not 0 < self.gap < 1:
            raise ValueError(
                "consistency_weight must not be below 0 and gap lie in (0, 1), got "
                f"{self.consistency_weight}, {self.gap}"
            )
        if not 0 < self.consistency_min < self.gap * self.noise:
            raise ValueError(
                f"consistency_min must lie between 0 and gap * noise, got "
                f"{self.consistency_min}"
            )
        if self.descent_steps < 1 or self.stop not in get_args(Side):
            raise ValueError(
                f"descent_steps must be at least 1 and stop one of {get_args(Side)}"
            )

    @property
    def metric_names(self) -> tuple[str, ...]:
        """`loss`, `tweedie_loss` and, where it is computed, `consistency_loss`."""
        names = ("loss", "tweedie_loss")
        return (*names, "consistency_loss") if self.consistency_weight else names

    def __call__(
        self,
        denoiser: GaussianDenoiser,
        params: Params,
        batch: Batch,
        step: Int[Array, ""],
        key: RootKey,
        ema: Params = None,
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of one batch and its parts; see `family.Objective`."""
        cells, estimate = cells_of(batch), bind(denoiser, params)
        k_tweedie, k_consistency = jax.random.split(key)
        tweedie = self._tweedie(estimate, cells, k_tweedie)
        if not self.consistency_weight:
            return tweedie, {"loss": tweedie, "tweedie_loss": tweedie}
        hard = self._consistency(estimate, cells, k_consistency)
        loss = tweedie + self.consistency_weight * hard
        return loss, {
            "loss": loss, "tweedie_loss": tweedie, "consistency_loss": hard,
        }  # fmt: skip

    def _tweedie(
        self, estimate: Estimate, cells: Cells, key: RootKey
    ) -> Float[Array, ""]:
        y, known, _ = cells
        k_level, k_noise = jax.random.split(key)
        sigma = self.levels.draw(k_level, len(y), low=self.noise)
        x = renoised(y, sigma, jax.random.normal(k_noise, y.shape), self.noise)
        found = tweedie_estimate(estimate(x, sigma), x, sigma, self.noise)
        weight = self.preconditioning.loss_weight(sigma)
        return squared_error(found, y, weight, known.astype(y.dtype))

    def _consistency(
        self, estimate: Estimate, cells: Cells, key: RootKey
    ) -> Float[Array, ""]:
        """The weighted martingale defect below `noise`, per known cell."""
        y, known, _ = cells
        k_level, k_descent, k_draws = jax.random.split(key, 3)
        sigma = log_uniform(
            k_level, len(y), self.consistency_min / self.gap, self.noise
        )
        start = jnp.full_like(sigma, self.noise)
        x = descend(estimate, y, start, sigma, self.descent_steps, k_descent)
        defect = martingale_defect(
            estimate, x, sigma, self.gap * sigma, k_draws, self.stop
        )
        weight = self.preconditioning.loss_weight(sigma) * known
        return jnp.sum(weight * defect) / jnp.maximum(jnp.sum(known), 1)
