"""The protocols of a diffusion family: what is minimised, and how holes are drawn.

The training loop, the E-step, the checkpoints and the evaluation suite work with any
family that implements `Objective` and `Completer`; none of them knows what the numbers
of a row mean. `diffusion/masked/` is the family of masked (absorbing-state) diffusion,
`diffusion/gaussian/` that of Gaussian noise on continuous rows.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from ambient_jax.types import Context, Params, RootKey, RowKeys

Rows = jax.Array | np.ndarray
"""Rows of a data set, `[B, ...]` or `[N, ...]`, in the numbers of the family."""

Metrics = dict[str, Float[Array, ""]]


@runtime_checkable
class TrainingData(Protocol):
    """The incomplete rows that training is given. Hidden values are not in it."""

    @property
    def rows(self) -> np.ndarray:
        """`[N, ...]` rows with holes, marked as the family marks them."""
        ...

    @property
    def context(self) -> np.ndarray | None:
        """`[N, F]` extra features of the observed cells, see `Denoiser.apply`."""
        ...

    @property
    def excluded_rows(self) -> np.ndarray | None:
        """`[N, K]` bool: the rows that member k of an ensemble does not train on."""
        ...

    def __len__(self) -> int: ...


class Batch(NamedTuple):
    """Rows of the incomplete data and their current completions.

    Before the first E-step a completion is the incomplete row itself, so that one
    train step serves the oracle, the baseline and EM alike.

    Attributes:
      rows: `[B, ...]` incomplete rows.
      completion: `[B, ...]`, equal to `rows` where these are observed.
      context: `[B, F]` extra features of the observed cells.
      excluded_rows: `[B, K]` bool for an ensemble, `[B]` for one network: rows that
        contribute no loss.
    """

    rows: Rows
    completion: Rows
    context: Context | np.ndarray | None = None
    excluded_rows: Bool[Array, "B K"] | Bool[Array, " B"] | np.ndarray | None = None


@runtime_checkable
class Objective(Protocol):
    """What the M-step minimises. Pure; compiled into the train step."""

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the metrics that a call returns, `loss` first."""
        ...

    def __call__(
        self,
        denoiser: Any,
        params: Params,
        batch: Batch,
        step: Int[Array, ""],
        key: RootKey,
        ema: Params = None,
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss of one batch and its metrics.

        Args:
          denoiser, params: the network of the family, and the parameters that the loss
            is a function of.
          batch: see `Batch`.
          step: steps done so far, for weights that follow a schedule.
          key: of this step.
          ema: the averaged parameters, which get no gradient.
        """
        ...


@runtime_checkable
class Completer(Protocol):
    """How the E-step draws `missing | observed` of training rows."""

    def program(self, initial: bool) -> Hashable:
        """Static settings of the first E-step, or of a later one.

        Equal values share one compiled program.
        """
        ...

    def schedule(self, rounds_since_start: int) -> tuple[np.float32, ...]:
        """Numbers that change from E-step to E-step and do not compile anew."""
        ...

    def draw(
        self,
        program: Hashable,
        schedule: tuple[Array, ...],
        denoise: Callable[..., Array],
        rows: Array,
        completion: Array,
        keys: RowKeys,
    ) -> Array:
        """Returns new completions `[B, ...]` of `rows`. Pure.

        A row depends on its own key and content alone. Observed cells keep their value.

        Args:
          program, schedule: what the methods of these names returned.
          denoise: the network bound to its parameters and to the rows' context.
          rows: `[B, ...]` incomplete rows.
          completion: `[B, ...]` current completions.
          keys: one per row.
        """
        ...

    def describe(self, rounds_since_start: int) -> str:
        """The schedule of an E-step in a few words, for the first lines of a run."""
        ...


@runtime_checkable
class Prior(Protocol):
    """A model of complete rows that is fitted on incomplete ones before the network.

    The first E-steps draw from it. What it says of dense contexts is inferred by Bayes'
    rule, where a network that has seen sparse contexts only would extrapolate.
    """

    @property
    def num_steps(self) -> int:
        """Steps of the fit; 0: `init` returns the fitted parameters."""
        ...

    @property
    def batch_size(self) -> int:
        """Rows of a step."""
        ...

    def optimizer(self) -> optax.GradientTransformation:
        """The optimizer of the fit."""
        ...

    def init(self, rows: np.ndarray, key: RootKey) -> Params:
        """Returns the parameters before the first step.

        Args:
          rows: `[N, ...]` incomplete rows on the host, for statistics of them.
          key: of random parameters.
        """
        ...

    def loss(self, params: Params, rows: Array, key: RootKey) -> Float[Array, ""]:
        """Returns what a step of the fit minimises, for incomplete rows `[B, ...]`."""
        ...

    def components(self, params: Params, key: RootKey) -> Any:
        """Returns what `nats` and `draw` need of the parameters, computed once."""
        ...

    def nats(self, components: Any, rows: Array) -> Float[Array, " B"]:
        """Returns `-log p(observed cells)` of rows `[B, ...]`, in nats."""
        ...

    def draw(
        self, components: Any, rows: Array, keys: RowKeys, schedule: tuple[Array, ...]
    ) -> Array:
        """Returns `[B, ...]` draws from `p(missing | observed)`.

        A row depends on its own key and content alone. Observed cells keep their value.

        Args:
          components: what the method of this name returned.
          rows: `[B, ...]` incomplete rows.
          keys: one per row.
          schedule: what `Completer.schedule` returned for this E-step.
        """
        ...
