"""Ambient Diffusion: incomplete rows are corrupted further, and wholly predicted."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ambient_jax.diffusion.gaussian.levels import LogNormal
from ambient_jax.diffusion.gaussian.losses import cells_of, squared_error
from ambient_jax.diffusion.gaussian.preconditioning import Preconditioning
from ambient_jax.family import Batch, Metrics
from ambient_jax.types import GaussianDenoiser, Params, RootKey, bind


@dataclass(frozen=True, kw_only=True)
class AmbientObjective:
    """Hides observed cells at random and predicts all observed ones.

    With A the natural mask and `A~` a random part of it, the network sees `A~ x_t` and
    `A~`, and its estimate is compared with `A x_0`. It cannot tell which of the cells
    that it is not given have a target, so that its minimum is `E[x_0 | A~ x_t, A~]` in
    every cell that is observed somewhere. A hidden cell is weighted, and scaled by the
    network, as one at infinite noise.

    Attributes:
      levels, preconditioning: see `EdmObjective`.
      hidden_share: probability that an observed cell is hidden, in (0, 1).

    Raises:
      ValueError: `hidden_share` lies outside its range. With 0 the network would see
        every target, and learn nothing of other cells.

    References:
      Daras et al. 2023 (arXiv 2305.19256).
    """

    levels: LogNormal = LogNormal()
    preconditioning: Preconditioning = Preconditioning()
    hidden_share: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.hidden_share < 1:
            raise ValueError(f"hidden_share must lie in (0, 1): {self.hidden_share}")

    @property
    def metric_names(self) -> tuple[str, ...]:
        """`loss` alone."""
        return ("loss",)

    def __call__(
        self,
        denoiser: GaussianDenoiser,
        params: Params,
        batch: Batch,
        step: Int[Array, ""],
        key: RootKey,
        ema: Params = None,
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of one batch; see `family.Objective`."""
        x, known, _ = cells_of(batch)
        k_level, k_noise, k_hide = jax.random.split(key, 3)
        sigma = self.levels.draw(k_level, len(x))
        visible = known & (jax.random.uniform(k_hide, x.shape) >= self.hidden_share)
        visible = visible.astype(x.dtype)
        noisy = visible * (x + sigma * jax.random.normal(k_noise, x.shape))
        estimate = bind(denoiser, params, visible)(noisy, sigma)
        weight = jnp.where(
            visible > 0,
            self.preconditioning.loss_weight(sigma),
            self.preconditioning.hidden_weight,
        )
        loss = squared_error(estimate, x, weight, known.astype(x.dtype))
        return loss, {"loss": loss}
