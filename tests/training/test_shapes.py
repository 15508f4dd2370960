"""Shapes, dtypes and traces of the public functions of `training/`."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ambient_jax import keys
from ambient_jax.diffusion.masked.completer import MaskedCompleter
from ambient_jax.diffusion.masked.consistency import Consistency
from ambient_jax.diffusion.masked.objective import MaskedObjective
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.family import Batch
from ambient_jax.networks.ensemble import Ensemble
from ambient_jax.training.ensemble import EnsembleObjective, PerMember
from ambient_jax.training.estep import EStep, EStepDriver
from ambient_jax.training.optimizer import KINDS, make_optimizer
from ambient_jax.training.state import init_state, metric_names, zero_sums
from ambient_jax.training.train_step import compile_train_step, train_step
from tests.toys import Table

LENGTH, ROWS = 4, 16
NETWORK = Table(LENGTH)
OBJECTIVE = MaskedObjective(
    consistency=Consistency(teacher="ema"), consistency_weight=1.0
)
PAIR = Ensemble(member=NETWORK, size=2)
BOTH = EnsembleObjective(member=OBJECTIVE)


def batch_of(seed=0, excluded_rows=None):
    tokens = np.random.default_rng(seed).integers(0, 3, (ROWS, LENGTH), np.uint8)
    return Batch(jnp.asarray(tokens), jnp.asarray(tokens), None, excluded_rows)


def state_of(network, objective, optimizer):
    return init_state(network, objective, optimizer, jax.random.key(0))


@pytest.mark.parametrize(
    ("network", "objective", "wrap"),
    [(NETWORK, OBJECTIVE, lambda o: o), (PAIR, BOTH, lambda o: PerMember(optimizer=o))],
    ids=["network", "ensemble"],
)
def test_a_step_keeps_every_shape_and_dtype_of_the_state(network, objective, wrap):
    optimizer = wrap(optax.adam(0.1))
    state = state_of(network, objective, optimizer)
    chex.assert_shape([state.step, state.bad_step], ())
    chex.assert_type([state.step, state.bad_step], jnp.int32)
    chex.assert_trees_all_equal(state.params, state.ema)
    new, metrics = train_step(
        state, batch_of(), jax.random.key(1), denoiser=network, objective=objective,
        optimizer=optimizer, ema_decay=0.9,
    )  # fmt: skip
    chex.assert_trees_all_equal_shapes_and_dtypes(vars(new), vars(state))
    chex.assert_tree_all_finite(vars(new))
    assert set(metrics) == set(metric_names(objective)) == set(new.sums)
    chex.assert_shape(list(metrics.values()), ())
    chex.assert_type(list(metrics.values()), jnp.float32)
    moved = [bool((a != b).any()) for a, b in zip(
        jax.tree.leaves(new.params), jax.tree.leaves(state.params), strict=True
    )]  # fmt: skip
    assert all(moved)


def test_a_step_is_traced_once_for_batches_of_one_shape():
    optimizer = optax.adam(0.1)
    state = state_of(NETWORK, OBJECTIVE, optimizer)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def step(state, batch, key):
        return train_step(
            state, batch, key, denoiser=NETWORK, objective=OBJECTIVE,
            optimizer=optimizer, ema_decay=0.9,
        )  # fmt: skip

    for seed in range(3):
        state, _ = step(state, batch_of(seed), jax.random.key(9))
    assert int(state.step) == 3
    wider = Batch(*(jnp.concatenate([x, x]) for x in batch_of()[:2]))
    with pytest.raises(AssertionError, match="traced"):
        step(state, wider, jax.random.key(9))  # the assertion above can fail


def test_the_compiled_step_is_the_pure_one(mesh):
    optimizer = optax.adam(0.1)
    fields = {"denoiser": NETWORK, "objective": OBJECTIVE, "optimizer": optimizer,
              "ema_decay": 0.9}  # fmt: skip
    compiled = compile_train_step(mesh, **fields)
    state, key = (
        state_of(NETWORK, OBJECTIVE, optimizer),
        keys.derive(0, keys.Purpose.TRAIN_STEP),
    )
    pure, pure_metrics = train_step(state, batch_of(), key, **fields)
    found, metrics = compiled(state, batch_of(), key)  # it donates the state
    chex.assert_trees_all_close(vars(found), vars(pure), rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_close(metrics, pure_metrics, rtol=1e-4, atol=1e-6)


def test_sums_of_an_empty_window_are_zero():
    sums = zero_sums(metric_names(OBJECTIVE))
    chex.assert_trees_all_equal(sums, {name: jnp.zeros(()) for name in sums})
    assert "consistency_loss" not in metric_names(MaskedObjective())


@pytest.mark.parametrize("kind", KINDS)
def test_an_optimizer_keeps_shapes_and_moves_against_the_gradient(kind):
    params = {"layer": {"kernel": jnp.ones((16, 8)), "bias": jnp.ones(8)}}
    optimizer = make_optimizer(
        kind=KINDS[kind], learning_rate=0.1, warmup_steps=0, total_steps=10,
        weight_decay=0.0, clip_norm=1.0,
    )  # fmt: skip
    grads = jax.tree.map(jnp.ones_like, params)
    updates, state = optimizer.update(grads, optimizer.init(params), params)
    chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)
    chex.assert_tree_all_finite((updates, state))
    assert all(bool((u < 0).any()) for u in jax.tree.leaves(updates))


def test_members_of_an_ensemble_are_optimised_apart():
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(1.0))
    params = {"kernel": jnp.zeros((2, 3))}
    grads = {"kernel": jnp.asarray([[3.0, 0.0, 4.0], [0.0, 0.1, 0.0]])}
    apart = PerMember(optimizer=optimizer)
    updates, _ = apart.update(grads, apart.init(params), params)
    expected = jnp.asarray([[-0.6, 0.0, -0.8], [0.0, -0.1, 0.0]])
    chex.assert_trees_all_close(updates, {"kernel": expected}, rtol=1e-6)
    together, _ = optimizer.update(grads, optimizer.init(params), params)
    assert float(jnp.abs(together["kernel"][1]).max()) < 0.05


class Losses(chex.TestCase):
    """The objectives with and without `jax.jit`."""

    @chex.variants(with_jit=True, without_jit=True)
    def test_one_network(self):
        params = NETWORK.init(jax.random.key(0))
        loss = functools.partial(OBJECTIVE, NETWORK)
        value, parts = self.variant(loss)(
            params, batch_of(), jnp.asarray(3), jax.random.key(1), params
        )
        chex.assert_shape([value, *parts.values()], ())
        chex.assert_type([value, *parts.values()], jnp.float32)
        chex.assert_tree_all_finite(parts)
        assert tuple(sorted(parts)) == tuple(sorted(OBJECTIVE.metric_names))

    @chex.variants(with_jit=True, without_jit=True)
    def test_an_ensemble(self):
        params = PAIR.init(jax.random.key(0))
        excluded = jnp.zeros((ROWS, 2), bool).at[:4, 0].set(True)
        loss = functools.partial(BOTH, PAIR)
        value, parts = self.variant(loss)(
            params, batch_of(excluded_rows=excluded), jnp.asarray(3),
            jax.random.key(1), params,
        )  # fmt: skip
        chex.assert_shape([value, *parts.values()], ())
        chex.assert_tree_all_finite(parts)

    @chex.variants(with_jit=True, without_jit=True)
    def test_a_completer_returns_rows_of_the_same_type(self):
        completer = MaskedCompleter(
            initial_sampler=Sampler(num_reveals=3), fraction=0.5,
            refresh_sampler=Sampler(num_reveals=2, corrector_sweeps=1),
        )  # fmt: skip
        params, batch = NETWORK.init(jax.random.key(0)), batch_of()

        def draw(schedule, rows, row_keys):
            return completer.draw(
                completer.program(initial=True), schedule,
                lambda z: NETWORK.apply(params, z), rows, rows, row_keys,
            )  # fmt: skip

        schedule = tuple(map(jnp.asarray, completer.schedule(0)))
        row_keys = jax.random.split(jax.random.key(3), ROWS)
        drawn = self.variant(draw)(schedule, batch.rows, row_keys)
        chex.assert_equal_shape([drawn, batch.rows])
        chex.assert_type(drawn, jnp.uint8)
        assert int(drawn.max()) < 2
        observed = batch.rows < 2
        chex.assert_trees_all_equal(drawn[observed], batch.rows[observed])


def test_an_estep_yields_counts_and_keeps_the_type_of_the_rows(incomplete, mesh):
    network = Table(incomplete.tokens.shape[1])
    draws = Sampler(num_reveals=2)
    estep = EStep(start_round=0, completer=MaskedCompleter(
        initial_sampler=draws, refresh_sampler=draws, fraction=0.3
    ))  # fmt: skip
    driver = EStepDriver(network, incomplete, estep, mesh, 80, 0)
    assert len(driver._row_maps) == 1  # equal samplers share a program
    completions = incomplete.tokens.copy()
    params = network.init(jax.random.key(0))
    assert list(driver.run(params, completions, 0)) == [80, 160, 200]
    chex.assert_equal_shape([completions, incomplete.tokens])
    chex.assert_type(completions, incomplete.tokens.dtype)
