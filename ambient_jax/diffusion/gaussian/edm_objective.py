"""EDM on completed rows: the objective of the M-step after draws of missing cells."""

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
class EdmObjective:
    """The loss of EDM on observed and imputed cells (`family.Objective`).

    A cell that is neither observed nor imputed is 0 before noise is added, and carries
    no loss: before the first E-step this is the naive baseline on incomplete rows, and
    on complete rows the oracle.

    Attributes:
      levels: noise levels that training sees.
      preconditioning: of the network, whose loss weight is used.
      imputed_weight: weight of an imputed target against 1 for an observed one, >= 0.

    Raises:
      ValueError: `imputed_weight` is below 0.

    References:
      Karras et al. 2022 (arXiv 2206.00364), eq. 2 and table 1.
    """

    levels: LogNormal = LogNormal()
    preconditioning: Preconditioning = Preconditioning()
    imputed_weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.imputed_weight >= 0:
            raise ValueError(f"imputed_weight is below 0: {self.imputed_weight}")

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
        x, known, observed = cells_of(batch)
        k_level, k_noise = jax.random.split(key)
        sigma = self.levels.draw(k_level, len(x))
        noisy = x + sigma * jax.random.normal(k_noise, x.shape)
        estimate = bind(denoiser, params)(noisy, sigma)
        weight = jnp.where(observed, 1.0, self.imputed_weight) * known
        row_weight = self.preconditioning.loss_weight(sigma)
        loss = squared_error(estimate, x, row_weight, weight)
        return loss, {"loss": loss}
