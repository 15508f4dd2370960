"""Shapes, names and the one protocol that every room speaks.

Axis legend, used in all signatures:

    B   rows of a batch            N   rows of a data set
    L   tokens of a row            V   values a token can take (MASK = V is one more)
    K   draws, strata or levels    C   channels of a network
    F   numbers of a row's context

A token row is `Integer[Array, "B L"]`: values `0..V-1`, or `MASK = V` for *unknown*.
MASK is the same symbol whether the diffusion hid the token or nobody ever measured it.
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

    `apply` returns float32 logits whatever the compute type. It takes no time: the
    noise that matters is what is visible in `z`, not the `t` that produced it.
    """

    @property
    def num_values(self) -> int:
        """V; `z` holds `0..V` where V is MASK."""
        ...

    @property
    def length(self) -> int:
        """L."""
        ...

    def init(self, key: RootKey) -> Params: ...

    def apply(
        self, params: Params, z: Tokens, context: Context | None = None
    ) -> Logits:
        """Logits of every token.

        Args:
          context: what is known of the *visible* tokens beside their values, e.g. the
            exact numbers behind bins. It must not matter where `z` is MASK. Networks
            of data that have none ignore it.
        """
        ...


def bind(denoiser: Denoiser, params: Params, context: Context | None = None) -> Denoise:
    """`denoise(z) -> logits` with the parameters and the rows' context fixed."""
    if context is None:
        return lambda z: denoiser.apply(params, z)
    return lambda z: denoiser.apply(params, z, context)
