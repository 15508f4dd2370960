"""Types of arrays in signatures, and the protocols of denoising networks.

Axis legend, used in all signatures:

    B   rows of a batch            N   rows of a data set
    L   tokens of a row            V   values a token can take (MASK = V is one more)
    K   draws, strata or levels    C   channels of a network
    F   numbers of a row's context

Rows of tokens are `Integer[Array, "B L"]` with values `0..V-1`, or `MASK = V` where a
token is masked. MASK is one symbol for tokens that the forward process masked and for
cells that are missing in the data. Rows of continuous data are `Float[Array, "B L"]`
with NaN where a cell is missing.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

from jaxtyping import Array, Bool, Float, Integer, Key

Params: TypeAlias = Any  # a pytree of arrays
Tokens: TypeAlias = Integer[Array, "B L"]
Positions: TypeAlias = Bool[Array, "B L"]
Logits: TypeAlias = Float[Array, "B L V"]
Context: TypeAlias = Float[Array, "B F"]
RowKeys: TypeAlias = Key[Array, " B"]
RootKey: TypeAlias = Key[Array, ""]

Values: TypeAlias = Float[Array, "B L"]
Sigmas: TypeAlias = Float[Array, "B 1"]

Denoise: TypeAlias = Callable[[Tokens], Logits]
"""A denoiser bound to its parameters: `z -> logits` of `p(x0 | z)`."""

Estimate: TypeAlias = Callable[[Values, Sigmas], Values]
"""A Gaussian denoiser bound to its parameters: `(x, sigma) -> E[x_0 | x]`."""


@runtime_checkable
class Network(Protocol):
    """What the training loop needs of a network, whatever its family."""

    def init(self, key: RootKey) -> Params:
        """Returns random initial parameters."""
        ...

    def apply(self, *args: Any, **named: Any) -> Any:
        """Returns what the network predicts; its parameters come first."""
        ...


@runtime_checkable
class Denoiser(Protocol):
    """A network that reads partially masked rows and predicts every token.

    It is not conditioned on the time `t`: in masked diffusion `p(x0 | z)` depends on
    the visible tokens of `z` alone (Ou et al. 2024, arXiv 2406.03736).
    """

    @property
    def num_values(self) -> int:
        """V, the number of values that a token can take."""
        ...

    @property
    def length(self) -> int:
        """L, the number of tokens of a row."""
        ...

    def init(self, key: RootKey) -> Params:
        """Returns random initial parameters."""
        ...

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        """Returns float32 logits of every token, whatever the compute type.

        Args:
          params: a pytree as `init` returns it.
          z: tokens `0..V-1`, and MASK = V where they are to be predicted.
          context: extra features of the visible tokens, for example the exact numbers
            behind binned ones. The features of a token must not affect the logits
            where `z` is MASK. None for data without such features.
        """
        ...


@runtime_checkable
class GaussianDenoiser(Protocol):
    """A network that estimates clean rows from rows with Gaussian noise.

    It approximates `h(x, sigma) = E[x_0 | x_0 + sigma eps = x]` with eps ~ N(0, I).
    """

    @property
    def length(self) -> int:
        """L, the number of cells of a row."""
        ...

    def init(self, key: RootKey) -> Params:
        """Returns random initial parameters."""
        ...

    def apply(
        self, params: Params, x: Values, sigma: Sigmas, visible: Values | None = None
    ) -> Values:
        """Returns a float32 estimate of every cell, whatever the compute type.

        Args:
          params: a pytree as `init` returns it.
          x: noisy rows; finite everywhere.
          sigma: standard deviation of the noise of each row, above 0.
          visible: 1 where a cell of `x` is given and 0 where it is not, in which case
            its value must not affect the result. None: all cells are given.
        """
        ...


def bind(
    network: Network, params: Params, context: Context | None = None
) -> Callable[..., Any]:
    """Returns `apply` of a network with the parameters and the context fixed.

    For a `Denoiser` that is `denoise(z) -> logits`, and for a `GaussianDenoiser`
    `denoise(x, sigma) -> estimate`.
    """
    if context is None:
        return lambda *inputs: network.apply(params, *inputs)
    return lambda *inputs: network.apply(params, *inputs, context)
