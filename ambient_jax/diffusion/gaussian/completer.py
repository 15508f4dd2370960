"""What the completers of the Gaussian family share: fresh draws in every E-step."""

from collections.abc import Hashable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from ambient_jax.types import Estimate, RowKeys, Values


class FreshCompleter:
    """Base of a completer that draws all missing cells afresh (`family.Completer`).

    A subclass is a frozen dataclass and has `complete`.
    """

    def program(self, initial: bool) -> Hashable:
        """One program for all E-steps: the completer itself is part of it."""
        return None

    def schedule(self, rounds_since_start: int) -> tuple[np.float32, ...]:
        """Nothing changes from E-step to E-step."""
        return ()

    def draw(
        self,
        program: Hashable,
        schedule: tuple[Array, ...],
        denoise: Estimate,
        rows: Array,
        completion: Array,
        keys: RowKeys,
    ) -> Array:
        """Returns completions `[B, L]`; see `family.Completer`.

        Args:
          rows: `[B, L]` values; NaN marks what is missing.
          completion: not used.
        """
        observed = ~jnp.isnan(rows)
        values = jnp.where(observed, rows, 0.0)
        return jnp.where(observed, rows, self.complete(denoise, values, observed, keys))

    def complete(
        self, denoise: Estimate, values: Values, observed: Bool[Array, "B L"],
        keys: RowKeys,
    ) -> Values:  # fmt: skip
        """Returns complete rows; their observed cells are not used.

        Args:
          denoise: the network under fixed parameters.
          values: observed cells, 0 elsewhere.
          observed: which cells are observed.
          keys: one key per row.
        """
        raise NotImplementedError
