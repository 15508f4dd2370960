"""The sampler on joints that can be enumerated, with a test that rejects wrong ones."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.diffusion.masked import sampling
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.keys import row_keys
from ambient_jax.types import bind
from tests.toys import Table, conditional, joint

N = 25_000
CRITICAL = 56.5  # chi2 with 15 degrees of freedom, p = 1e-6
EXACT = Sampler(num_reveals=4)  # as many as tokens: one at a time


def keys(seed=0, n=N):
    return row_keys(jax.random.key(seed), jnp.arange(n))


def chi_squared(x, p):
    index = np.ravel_multi_index(np.asarray(x).T, p.shape)
    counts = np.bincount(index, minlength=p.size)
    expected = len(x) * p.ravel()
    assert counts[expected == 0].sum() == 0
    some = expected > 0
    return float(((counts - expected)[some] ** 2 / expected[some]).sum())


def draw(toy, z, sampler, seed=0):
    network, params = toy
    run = jax.jit(lambda z, k: sampling.draw(bind(network, params), z, k, sampler))
    return run(jnp.broadcast_to(jnp.asarray(z), (N, 4)), keys(seed))


def test_generation_has_the_exact_joint(toy):
    assert chi_squared(draw(toy, [2, 2, 2, 2], EXACT), joint(4)) < CRITICAL


@pytest.mark.parametrize("z", [[0, 2, 2, 1], [2, 1, 2, 2], [2, 2, 2, 0]])
def test_imputation_has_the_exact_posterior(toy, z):
    x = draw(toy, z, EXACT)
    assert chi_squared(x, conditional(joint(4), tuple(z))) < CRITICAL


def test_the_test_rejects_one_bulk_reveal(toy):
    """Factorised marginals are not the joint: the chi-squared must see it."""
    x = draw(toy, [2, 2, 2, 2], Sampler(num_reveals=1))
    assert chi_squared(x, joint(4)) > 10 * CRITICAL


def test_the_test_rejects_a_sharpened_sampler(toy):
    network, params = toy
    x = draw((network, 1.1 * params), [2, 2, 2, 2], EXACT)
    assert chi_squared(x, joint(4)) > CRITICAL


def test_corrector_sweeps_repair_a_bulk_reveal(toy):
    sweeps = Sampler(num_reveals=1, corrector_sweeps=120, corrector_fraction=0.15)
    coarse = chi_squared(draw(toy, [2, 2, 2, 2], Sampler(num_reveals=1)), joint(4))
    mended = chi_squared(draw(toy, [2, 2, 2, 2], sweeps), joint(4))
    assert mended < 0.05 * coarse


@pytest.mark.parametrize("fraction", [0.3, 1.0])
def test_refresh_leaves_the_posterior_unchanged(toy, fraction):
    """Started at the posterior a warm chain stays there, editable tokens or not."""
    network, params = toy
    x = draw(toy, [2, 2, 2, 1], EXACT)
    editable = jnp.broadcast_to(jnp.array([True, True, True, False]), x.shape)
    run = jax.jit(
        lambda x, k: sampling.refresh(
            bind(network, params), x, editable, k, fraction, EXACT
        )
    )
    y = run(x, keys(seed=7))
    assert chi_squared(y, conditional(joint(4), (2, 2, 2, 1))) < CRITICAL
    moved = float(np.mean(np.asarray(x != y)))
    assert 0.002 < moved < 0.6


def test_visible_tokens_come_back_bit_for_bit(toy):
    z = jnp.asarray(np.random.default_rng(0).integers(0, 3, (N, 4)))
    sampler = Sampler(num_reveals=3, corrector_sweeps=2, corrector_fraction=0.5)
    x = draw(toy, z, sampler)
    assert np.array_equal(np.asarray(x)[z != 2], np.asarray(z)[z != 2])
    assert (np.asarray(x) < 2).all()


def test_a_row_does_not_depend_on_its_batch(toy):
    network, params = toy
    z = jnp.full((64, 4), 2)
    whole = sampling.draw(bind(network, params), z, keys(3, 64), EXACT)
    some = keys(3, 64)[16:32]
    part = sampling.draw(bind(network, params), z[16:32], some, EXACT)
    chex.assert_trees_all_equal(whole[16:32], part)


@pytest.mark.parametrize("num_reveals", [2, 9])
def test_a_row_draws_the_same_beside_rows_with_more_holes(toy, num_reveals):
    """The loop runs on for the others; it must not touch a row that is complete."""
    network, params = toy
    sampler = Sampler(num_reveals=num_reveals)
    z = jnp.tile(jnp.asarray([[2, 1, 0, 2], [2, 2, 2, 2]]), (32, 1))
    both = sampling.draw(bind(network, params), z, keys(3, 64), sampler)
    few = sampling.draw(bind(network, params), z[::2], keys(3, 64)[::2], sampler)
    chex.assert_trees_all_equal(both[::2], few)


@pytest.mark.parametrize(("masked", "calls"), [(0, 0), (1, 1), (3, 3), (4, 3)])
def test_rows_take_a_step_per_masked_token_and_no_more(masked, calls):
    seen = []

    def denoise(z):
        jax.debug.callback(lambda: seen.append(1))
        return jnp.zeros((*z.shape, 2))

    z = jnp.where(jnp.arange(4) < masked, 2, 1)[None].repeat(5, axis=0)
    x = jax.block_until_ready(
        jax.jit(lambda z, k: sampling.draw(denoise, z, k, Sampler(num_reveals=3)))(
            z, keys(0, 5)
        )
    )
    jax.effects_barrier()
    assert len(seen) == calls
    assert (np.asarray(x) < 2).all()


def test_the_sampler_compiles_once_for_batches_of_one_shape(toy):
    network, params = toy

    def run(z, k):
        return sampling.draw(bind(network, params), z, k, EXACT)

    chex.clear_trace_counter()
    run = jax.jit(chex.assert_max_traces(run, n=1))
    for seed, visible in enumerate((2, 0)):
        run(jnp.full((8, 4), visible), keys(seed, 8))
    with pytest.raises(AssertionError, match="traced"):
        run(jnp.full((4, 4), 2), keys(0, 4))


def test_the_sampler_is_a_loop(toy):
    """Nine reveals and sweeps take no more traces of the network than two."""
    network, params = toy
    counts = []
    for number in (2, 9):
        sampler = Sampler(num_reveals=number, corrector_sweeps=number)
        shapes = []

        def denoise(z, shapes=shapes):
            shapes.append(z.shape)
            return network.apply(params, z)

        def run(z, k, denoise=denoise, sampler=sampler):
            return sampling.draw(denoise, z, k, sampler)

        jax.make_jaxpr(run)(jnp.full((8, 4), 2), keys(0, 8))
        counts.append(len(shapes))
    assert counts[0] == counts[1] > 0


def test_rows_are_independent(toy):
    x = np.asarray(draw(toy, [2, 2, 2, 2], EXACT))
    left, right = x[:-1, 0].astype(float), x[1:, 0].astype(float)
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.025


def test_low_precision_network_does_not_spoil_the_draws():
    """bfloat16 logits: the joint is that of the rounded logits."""
    p = joint(4)
    network, params = Table.exact(p)
    rounded = params.astype(jnp.bfloat16)
    x = draw((network, rounded), [2, 2, 2, 2], EXACT)
    assert chi_squared(x, p) < 4 * CRITICAL


@pytest.mark.parametrize(
    "fields",
    [{"num_reveals": 0}, {"corrector_sweeps": -1}, {"corrector_fraction": 0.0}],
)
def test_bad_settings_are_refused(fields):
    with pytest.raises(ValueError, match="must"):
        Sampler(**fields)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_temperature_raises_the_conditional_to_a_power(toy, temperature):
    """One hidden token: drawn from `p^(1/T)`, and not from p unless T is 1."""
    network, params = toy
    z = jnp.broadcast_to(jnp.asarray([0, 2, 1, 1]), (N, 4))

    def run(z, k):
        cold = sampling.tempered(bind(network, params), temperature)
        return sampling.draw(cold, z, k, EXACT)

    x = jax.jit(run)(z, keys())
    plain = conditional(joint(4), (0, 2, 1, 1))
    power = plain ** (1 / temperature)
    assert chi_squared(x, power / power.sum()) < CRITICAL
    assert (chi_squared(x, plain) > CRITICAL) == (temperature != 1)
