"""Fits a prior on incomplete rows, and draws completions from it."""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from ambient_jax import keys
from ambient_jax import mesh as meshes
from ambient_jax.compilation import jit
from ambient_jax.family import Prior, TrainingData
from ambient_jax.inference.row_map import RowMap, seconds
from ambient_jax.training.batches import passes
from ambient_jax.types import Params

HELD_OUT_SHARE, MOST_HELD_OUT = 0.1, 500
"""Rows that the fit does not see: a tenth, but not more than these."""

CHECK_EVERY = 50
"""Steps between two likelihoods of the held-out rows."""

PATIENCE = 200
"""Steps after which the fit ends if all checks in them were clearly worse."""

TOLERANCE = 0.001
"""By how much of the lowest nats so far a later check may be worse and not clearly so.

A few hundred held-out rows do not tell neighbouring checks apart, and the later one,
after smaller steps, is usually the better one (docs/recipe.md)."""

AVERAGE_DECAY = 0.98
"""Decay of the averaged parameters per step."""

INIT, ORDER, STEP, CHECK, ROUND = range(5)
"""Indices of the keys within `Purpose.PRIOR`."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class PriorState:
    """Everything that the next step of the fit needs, and its best result so far.

    Attributes:
      step: number of steps done.
      params: current parameters.
      average: their exponential moving average.
      opt_state: state of the optimizer.
      best: the last average under which the held-out rows were not clearly worse.
      best_step: the step at which it was the average.
      lowest_nats: lowest mean nats of the held-out rows; infinite before the first
        check.
    """

    step: Int[Array, ""]
    params: Params
    average: Params
    opt_state: optax.OptState
    best: Params
    best_step: Int[Array, ""]
    lowest_nats: Float[Array, ""]


class PriorFit:
    """The compiled functions of a prior on the rows of one run.

    Args:
      prior: what is fitted.
      data: the incomplete rows.
      mesh: devices; rows are split over its `data` axis.
      batch_size: rows per call when drawing and scoring.
      seed: of the run.
    """

    def __init__(
        self, prior: Prior, data: TrainingData, mesh: Mesh, batch_size: int, seed: int
    ):
        self.prior, self._mesh, self._seed = prior, mesh, seed
        self._data = data
        order = keys.host_rng(seed, keys.Purpose.PRIOR_ROWS).permutation(len(data))
        count = min(int(HELD_OUT_SHARE * len(data)), MOST_HELD_OUT)
        self._held_out, self._fitted = np.sort(order[:count]), np.sort(order[count:])
        whole, split = meshes.replicated(mesh), meshes.rows(mesh)
        self._batch = -(-prior.batch_size // mesh.size) * mesh.size
        self._step = jit(
            self._update, in_shardings=(whole, split, whole), out_shardings=whole,
            donate_argnums=0,
        )  # fmt: skip
        self._keep = jit(_keep_if_good, donate_argnums=0)
        self._components = jit(prior.components, out_shardings=whole)
        self._draws = RowMap(_draws, mesh, batch_size, bound=(prior,))
        self._nats = RowMap(_nats, mesh, batch_size, bound=(prior,))

    def start(self) -> PriorState:
        """Returns the state before the first step."""
        params = self.prior.init(self._data.rows, self._key(INIT))
        copy = lambda: jax.tree.map(jnp.copy, params)  # noqa: E731
        state = PriorState(
            step=jnp.zeros((), jnp.int32), params=params, average=copy(),
            opt_state=self.prior.optimizer().init(params), best=copy(),
            best_step=jnp.zeros((), jnp.int32),
            lowest_nats=jnp.full((), jnp.inf, jnp.float32),
        )  # fmt: skip
        return jax.device_put(state, meshes.replicated(self._mesh))

    def steps(self, state: PriorState, start: int) -> Iterator[tuple[int, PriorState]]:
        """Goes on from step `start` and yields the steps done and the new state.

        It ends early where the held-out rows have become clearly worse.
        """
        order, key = self._batch_order(), self._placed(self._key(STEP))
        for index in range(start, self.prior.num_steps):
            # Before a step, so that a fit which was stopped at its end stays ended.
            if index % CHECK_EVERY == 0 and index - int(state.best_step) >= PATIENCE:
                return
            rows = meshes.put_rows(self._mesh, self._data.rows[order[index]])
            state = self._step(state, rows, key)
            done = index + 1
            if done % CHECK_EVERY == 0 or done == self.prior.num_steps:
                state = self._check(state)
            yield done, state

    def fitted(self) -> PriorState:
        """Returns the state after the whole fit."""
        state = self.start()
        for _, new in self.steps(state, 0):
            state = new
        return state

    def draws(
        self, state: PriorState, completions: np.ndarray, round_: int,
        schedule: tuple[np.float32, ...], start: int = 0,
    ) -> Iterator[int]:  # fmt: skip
        """Replaces all `completions` in place and yields how many rows are done.

        Args:
          state: of the finished fit.
          completions: `[N, ...]`; observed cells keep their value.
          round_: round of the run, which the keys depend on.
          schedule: of this E-step, see `family.Completer`.
          start: rows of this E-step that are done already.
        """
        components = self.components(state, ROUND, round_)
        key = keys.derive(self._seed, keys.Purpose.E_STEP, round_)
        for where, drawn in self._draws.batches(
            (components, schedule), key, self._data.rows, start=start
        ):
            completions[where] = drawn
            yield where.stop

    def first_step(self, state: PriorState) -> PriorState:
        """Returns the state after a step on the first batch; `state` is used up."""
        rows = meshes.put_rows(self._mesh, self._data.rows[self._batch_order()[0]])
        return self._step(state, rows, self._placed(self._key(STEP)))

    def time_draws(self, state: PriorState, schedule: tuple[np.float32, ...]) -> float:
        """Returns the seconds per row of a batch of draws, which are dropped."""
        rows = self._data.rows[: self._draws.batch_size]
        arguments = self.components(state, ROUND, 0), schedule
        key = self._key(ROUND, 0)
        return seconds(lambda: self._draws(arguments, key, rows))[0] / len(rows)

    def components(self, state: PriorState, *numbers: int):
        """Returns the components of the best parameters."""
        return self._components(state.best, self._placed(self._key(*numbers)))

    def nats(self, state: PriorState, rows: np.ndarray) -> np.ndarray:
        """Returns `-log p(observed cells)` `[N]` of rows under the fitted prior."""
        return self._score(state.best, rows)

    def _score(self, params: Params, rows: np.ndarray) -> np.ndarray:
        components = self._components(params, self._placed(self._key(CHECK)))
        return self._nats(components, self._key(CHECK), rows)

    def _check(self, state: PriorState) -> PriorState:
        rows = self._data.rows[self._held_out]
        nats = self._score(state.average, rows).mean() if len(rows) else 0.0
        return self._keep(state, self._placed(np.float32(nats)))

    def _update(self, state: PriorState, rows: Array, key: Array) -> PriorState:
        now = jax.random.fold_in(key, state.step)
        grads = jax.grad(self.prior.loss)(state.params, rows.astype(jnp.int32), now)
        updates, opt_state = self.prior.optimizer().update(
            grads, state.opt_state, state.params
        )
        params = optax.apply_updates(state.params, updates)
        decay = jnp.minimum(AVERAGE_DECAY, (1.0 + state.step) / (10.0 + state.step))
        return dataclasses.replace(
            state, step=state.step + 1, params=params, opt_state=opt_state,
            average=optax.incremental_update(params, state.average, 1.0 - decay),
        )  # fmt: skip

    def _batch_order(self) -> np.ndarray:
        """Row indices `[steps, B]` of the rows that the fit sees."""
        rng = keys.host_rng(self._seed, keys.Purpose.PRIOR_ROWS, ORDER)
        return passes(rng, self._fitted, self.prior.num_steps, self._batch)

    def _key(self, *numbers: int) -> Array:
        return keys.derive(self._seed, keys.Purpose.PRIOR, *numbers)

    def _placed(self, value):
        return jax.device_put(value, meshes.replicated(self._mesh))


def _keep_if_good(state: PriorState, nats: Float[Array, ""]) -> PriorState:
    """Replaces `best` by the average unless held-out rows are clearly worse."""
    good = nats <= state.lowest_nats * (1 + TOLERANCE)
    best = jax.tree.map(
        lambda new, old: jnp.where(good, new, old), state.average, state.best
    )
    return dataclasses.replace(
        state, best=best, best_step=jnp.where(good, state.step, state.best_step),
        lowest_nats=jnp.minimum(nats, state.lowest_nats),
    )  # fmt: skip


def _draws(prior: Prior, arguments, row_keys, rows):
    components, schedule = arguments
    return prior.draw(components, rows, row_keys, schedule)


def _nats(prior: Prior, components, row_keys, rows):
    return prior.nats(components, rows)
