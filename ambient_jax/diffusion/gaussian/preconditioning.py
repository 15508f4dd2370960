"""EDM's preconditioning: a network of unit-size inputs, outputs and targets."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from ambient_jax.types import Sigmas, Values

SIGMA_DATA = 0.5
"""Standard deviation of the data that EDM assumes; rows are scaled to it."""


@dataclass(frozen=True, kw_only=True)
class Preconditioning:
    """The scalings of `h(x, sigma) = c_skip x + c_out F(c_in x, c_noise)`.

    For data of standard deviation `sigma_data`, the input of the raw network F and the
    target `(x_0 - c_skip x) / c_out` have unit variance at every noise level, and
    `c_out` is as small as it can be.

    Attributes:
      sigma_data: standard deviation of a cell of the data, above 0.

    Raises:
      ValueError: `sigma_data` is not above 0.

    References:
      Karras et al. 2022 (arXiv 2206.00364), table 1 and appendix B.6.
    """

    sigma_data: float = SIGMA_DATA

    def __post_init__(self) -> None:
        if not self.sigma_data > 0:
            raise ValueError(f"sigma_data must be above 0, got {self.sigma_data}")

    def skip(self, sigma: Sigmas) -> Sigmas:
        """`c_skip = sigma_d^2 / (sigma^2 + sigma_d^2)`."""
        return self.sigma_data**2 / (sigma**2 + self.sigma_data**2)

    def out(self, sigma: Sigmas) -> Sigmas:
        """`c_out = sigma sigma_d / sqrt(sigma^2 + sigma_d^2)`."""
        return sigma * self.sigma_data * self.scale_in(sigma)

    def scale_in(self, sigma: Sigmas) -> Sigmas:
        """`c_in = 1 / sqrt(sigma^2 + sigma_d^2)`."""
        return 1.0 / jnp.sqrt(sigma**2 + self.sigma_data**2)

    def noise(self, sigma: Sigmas) -> Sigmas:
        """`c_noise = ln(sigma) / 4`."""
        return jnp.log(sigma) / 4.0

    def loss_weight(self, sigma: Sigmas) -> Sigmas:
        """`(sigma^2 + sigma_d^2) / (sigma sigma_d)^2`, which is `1 / c_out^2`."""
        return (sigma**2 + self.sigma_data**2) / (sigma * self.sigma_data) ** 2

    @property
    def hidden_weight(self) -> float:
        """Loss weight of a cell that the network is not given: `1 / sigma_d^2`."""
        return 1.0 / self.sigma_data**2

    def estimate(
        self,
        raw: Callable[[Values, Sigmas], Float[Array, "B L"]],
        x: Values,
        sigma: Sigmas,
        visible: Values | None = None,
    ) -> Values:
        """Returns `h(x, sigma)` of a raw network `F(c_in x, c_noise)`.

        A cell that is not given is one at infinite noise, whatever the level of the
        others is: there `h = sigma_d F`.

        Args:
          raw: F.
          x: noisy rows.
          sigma: their levels.
          visible: 1 where a cell is given, 0 where it is not; None: all are.
        """
        inner = raw(self.scale_in(sigma) * x, self.noise(sigma))
        given = self.skip(sigma) * x + self.out(sigma) * inner
        if visible is None:
            return given
        return jnp.where(visible > 0, given, self.sigma_data * inner)
