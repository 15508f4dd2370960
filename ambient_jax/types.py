"""Types of arrays in signatures, and the protocol of a denoising network.

Axis legend, used in all signatures:

    B   rows of a batch            N   rows of a data set
    L   tokens of a row            V   values a token can take (MASK = V is one more)
    K   draws, strata or levels    C   channels of a network
    F   numbers of a row's context

Rows of tokens are `Integer[Array, "B L"]` with values `0..V-1`, or `MASK = V` where a
token is masked. MASK is one symbol for tokens that the forward process masked and for
cells that are missing in the data.
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

Denoise: TypeAlias = Callable[[Tokens], Logits]
"""A denoiser bound to its parameters: `z -> logits` of `p(x0 | z)`."""


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


def bind(denoiser: Denoiser, params: Params, context: Context | None = None) -> Denoise:
    """Returns `denoise(z) -> logits` with the parameters and the context fixed."""
    if context is None:
        return lambda z: denoiser.apply(params, z)
    return lambda z: denoiser.apply(params, z, context)
