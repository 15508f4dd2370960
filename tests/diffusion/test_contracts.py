"""Shape, type, range and a naive version of every public function of the family.

Each holds with and without `jax.jit`.
"""

import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from ambient_jax import keys as random_keys
from ambient_jax.diffusion.masked import (
    absorbing,
    consistency,
    likelihood,
    losses,
    martingale_defect,
    order_gap,
    sampling,
    schedules,
)
from ambient_jax.diffusion.masked.consistency import Consistency
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.diffusion.masked.schedules import SCHEDULES, Cosine
from tests.contracts import Contract, check
from tests.diffusion import naive

MODULES = (
    absorbing, consistency, likelihood, losses, martingale_defect, order_gap, sampling,
    schedules,
)  # fmt: skip
B, L, V = 5, 4, 3
MASK = V
RNG = np.random.default_rng(0)
U = RNG.random((B, L), np.float32)
X = RNG.integers(0, V, (B, L), np.int32)
PARTLY = np.where(RNG.random((B, L)) < 0.3, MASK, X).astype(np.int32)
Z = np.where(RNG.random((B, L)) < 0.5, MASK, PARTLY).astype(np.int32)
SOME = RNG.random((B, L)) < 0.5
T = np.linspace(0.2, 0.95, B, dtype=np.float32)[:, None]
LOGITS, LOGITS_1, LOGITS_2 = RNG.normal(size=(3, B, L, V)).astype(np.float32)
TABLE = RNG.normal(size=(V + 1, V)).astype(np.float32)
WEIGHT = RNG.random((B, L), np.float32)
SAMPLER = Sampler(num_reveals=3, corrector_sweeps=1, corrector_fraction=0.5)
CHOICE = np.array([2, 0, 1, 2], np.int32)
IDS = np.arange(B)


def constant(z):
    """A denoiser that ignores its input and gives all positions one distribution."""
    return jnp.broadcast_to(jnp.log(jnp.array([0.5, 0.2, 0.3])), (*z.shape, V))


def certain(z):
    """A denoiser whose every draw is `CHOICE`."""
    logits = jnp.where(jax.nn.one_hot(CHOICE, V) > 0, 0.0, -jnp.inf)
    return jnp.broadcast_to(logits[None], (*z.shape, V))


def key():
    return jax.random.key(0)


def keys():
    return jax.random.split(jax.random.key(0), B)


def tokens(function, arguments, naive=None, high=MASK, shape=(B, L)):
    return Contract(function, arguments, shape, jnp.int32, 0, high, naive)


CONTRACTS = {
    "absorbing.hide": tokens(
        lambda z, hidden: absorbing.hide(z, hidden, MASK),
        lambda: (X, SOME),
        lambda: naive.each(lambda x, hidden: MASK if hidden else x, X, SOME),
    ),
    "absorbing.forward": tokens(
        lambda u, x, alpha: absorbing.forward(u, x, alpha, MASK),
        lambda: (U, PARTLY, 1 - T),
        lambda: naive.each(lambda u, x, a: x if u < a else MASK, U, PARTLY, 1 - T),
    ),
    "absorbing.reveal_probability": Contract(
        absorbing.reveal_probability,
        lambda: (1 - T / 2, 1 - T),
        (B, 1), low=0, high=1,
        naive=lambda: 1 - (T / 2) / T,
    ),
    "absorbing.reverse_step": tokens(
        lambda u, z, x, p: absorbing.reverse_step(u, z, x, p, MASK),
        lambda: (U, Z, PARTLY, T),
        lambda: naive.each(
            lambda u, z, x, p: x if z == MASK and u < p else z, U, Z, PARTLY, T
        ),
    ),
    "absorbing.draw_values": tokens(
        absorbing.draw_values,
        lambda: (U, LOGITS),
        lambda: naive.draw_values(U, LOGITS),
        high=V - 1,
    ),
    "schedules.elbo_weight": Contract(
        lambda t: schedules.elbo_weight(Cosine(), t),
        lambda: (T,),
        (B, 1), low=0,
        naive=lambda: np.pi / 2 * np.cos(np.pi / 2 * T) / np.sin(np.pi / 2 * T),
    ),
    "losses.cross_entropy": Contract(
        losses.cross_entropy,
        lambda: (LOGITS, PARTLY),
        (B, L), low=0,
        naive=lambda: naive.cross_entropy(LOGITS, PARTLY),
    ),
    "losses.easy_loss": Contract(
        lambda *arrays: losses.easy_loss(*arrays, MASK),
        lambda: (LOGITS, PARTLY, Z, WEIGHT, T),
        (), low=0,
        naive=lambda: naive.easy_loss(LOGITS, PARTLY, Z, WEIGHT, T),
    ),
    "losses.low_discrepancy_times": Contract(
        lambda key: losses.low_discrepancy_times(key, B, 0.1),
        lambda: (key(),),
        (B, 1), low=0.1, high=1,
        naive=lambda: 0.1 + 0.9 * np.mod(
            float(jax.random.uniform(key())) + IDS[:, None] / B, 1
        ),
    ),
    "consistency.teacher_logp": Contract(
        lambda logits, key: consistency.teacher_logp(logits, "soft", key),
        lambda: (LOGITS, key()),
        (B, L, V), high=0,
        naive=lambda: np.log(naive.softmax(LOGITS)),
    ),
    "consistency.kl_divergence": Contract(
        consistency.kl_divergence,
        lambda: (np.log(naive.softmax(LOGITS_1)), np.log(naive.softmax(LOGITS))),
        (B, L), low=0,
        naive=lambda: np.array([
            [naive.kl(*rows) for rows in zip(*both)]
            for both in zip(naive.softmax(LOGITS_1), naive.softmax(LOGITS))
        ]),
    ),
    "consistency.kl_consistency": Contract(
        lambda s, t, where, key: consistency.kl_consistency(
            s, t, where, Consistency(), key
        ),
        lambda: (LOGITS_1, LOGITS, SOME, key()),
        (), low=0,
        naive=lambda: np.mean([
            naive.kl(naive.softmax(LOGITS_1)[place], naive.softmax(LOGITS)[place])
            for place in zip(*np.nonzero(SOME))
        ]),
    ),
    "consistency.martingale_products": Contract(
        lambda *logits: consistency.martingale_products(*logits, "none"),
        lambda: (LOGITS_1, LOGITS_2, LOGITS),
        (B, L), low=-2, high=2,
        naive=lambda: np.einsum(
            "blv,blv->bl",
            naive.softmax(LOGITS_1) - naive.softmax(LOGITS),
            naive.softmax(LOGITS_2) - naive.softmax(LOGITS),
        ),
    ),
    # Predictions that no token changes are consistent.
    "consistency.consistency_loss": Contract(
        lambda z, x, t, key: consistency.consistency_loss(
            constant, constant, z, constant(z), x, t, Cosine(),
            Consistency(form="martingale", stop="none"), key,
        ),
        lambda: (Z, PARTLY, T, key()),
        (), naive=lambda: 0.0,
    ),
    "martingale_defect.martingale_defect": Contract(
        lambda x, keys: martingale_defect.martingale_defect(constant, x, keys),
        lambda: (X, keys()),
        (B,), naive=lambda: np.zeros(B),
    ),
    "order_gap.order_gap": Contract(
        lambda x, keys: order_gap.order_gap(constant, x, keys),
        lambda: (X, keys()),
        (B,), naive=lambda: np.zeros(B),
    ),
    "order_gap.choose_pair": Contract(
        lambda u, allowed: jnp.concatenate(order_gap.choose_pair(u, allowed)[:2], 1),
        lambda: (U, np.ones((B, L), bool)),
        (B, 2), jnp.int32, naive=lambda: np.argsort(-U, axis=1)[:, :2],
    ),
    "order_gap.reveal": Contract(
        order_gap.reveal,
        lambda: (Z, X, np.full((B, 1), 2)),
        (B, L), jnp.int32,
        naive=lambda: np.where(np.arange(L) == 2, X, Z),
    ),
    "order_gap.swap_defect": Contract(
        order_gap.swap_defect,
        lambda: (LOGITS, LOGITS_1, LOGITS_2, X, np.zeros((B, 1), int),
                 np.full((B, 1), 3)),
        (B,),
        naive=lambda: [
            np.log(naive.softmax(LOGITS)[b, 0, X[b, 0]])
            + np.log(naive.softmax(LOGITS_1)[b, 3, X[b, 3]])
            - np.log(naive.softmax(LOGITS)[b, 3, X[b, 3]])
            - np.log(naive.softmax(LOGITS_2)[b, 0, X[b, 0]])
            for b in range(B)
        ],
    ),
    "keys.row_keys": Contract(
        lambda key, ids: jax.random.key_data(random_keys.row_keys(key, ids)),
        lambda: (key(), IDS),
        (B, 2), jnp.uint32,
        naive=lambda: [
            jax.random.key_data(jax.random.fold_in(key(), i)) for i in range(B)
        ],
    ),
    "sampling.row_uniforms": Contract(
        lambda keys, step: sampling.row_uniforms(keys, step, L),
        lambda: (keys(), jnp.asarray(3)),
        (2, B, L), low=0, high=1,
        naive=lambda: np.stack([
            jax.random.uniform(jax.random.fold_in(k, 3), (2, L)) for k in keys()
        ], axis=1),
    ),
    "sampling.random_ranks": tokens(
        sampling.random_ranks,
        lambda: (U, SOME),
        lambda: naive.random_ranks(U, SOME),
        high=L - 1,
    ),
    "sampling.tempered": Contract(
        lambda z: jax.nn.softmax(sampling.tempered(constant, 0.5)(z)),
        lambda: (Z,),
        (B, L, V), low=0, high=1,
        naive=lambda: np.broadcast_to(np.square([5, 2, 3]) / 38, (B, L, V)),
    ),
    "sampling.denoise_mask": tokens(
        lambda z: jnp.asarray(sampling.denoise_mask(constant, z)),
        lambda: (Z,), lambda: MASK, shape=(),
    ),
    "sampling.reveal": tokens(
        lambda z, keys: sampling.reveal(certain, z, z == MASK, keys, 3),
        lambda: (Z, keys()),
        lambda: np.where(Z == MASK, CHOICE[None], Z),
        high=V - 1,
    ),
    "sampling.draw": tokens(
        lambda z, keys: sampling.draw(certain, z, keys, SAMPLER),
        lambda: (Z, keys()),
        lambda: np.where(Z == MASK, CHOICE[None], Z),
        high=V - 1,
    ),
    "sampling.refresh": tokens(
        lambda x, some, keys: sampling.refresh(certain, x, some, keys, 1.0, SAMPLER),
        lambda: (X, SOME, keys()),
        lambda: np.where(SOME, CHOICE[None], X),
        high=V - 1,
    ),
    # With one distribution at all positions each level and order has the same nats.
    "likelihood.elbo_by_level": Contract(
        lambda x, some, keys: likelihood.elbo_by_level(constant, x, some, keys, 3),
        lambda: (np.zeros_like(X), SOME, keys()),
        (B, 3), low=0,
        naive=lambda: np.tile(np.log(2) * SOME.sum(axis=1)[:, None], 3),
    ),
    "likelihood.chain_rule": Contract(
        lambda x, some, keys: likelihood.chain_rule(constant, x, some, keys),
        lambda: (X, SOME, keys()),
        (B,), low=0,
        naive=lambda: np.sum(
            naive.cross_entropy(np.asarray(constant(X)), X) * SOME, axis=1
        ),
    ),
}  # fmt: skip


class ContractTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    @parameterized.named_parameters(*CONTRACTS.items())
    def test_contract(self, contract):
        check(self.variant(contract.function)(*contract.on_device()), contract)

    @chex.variants(with_jit=True, without_jit=True)
    @parameterized.named_parameters(*((k, kind()) for k, kind in SCHEDULES.items()))
    def test_schedule(self, schedule):
        t = jnp.asarray(T)
        for function, high in ((schedule.alpha, 1), (schedule.alpha_prime, 0)):
            found = self.variant(function)(t)
            check(found, Contract(function, tuple, (B, 1), high=high))

    @chex.variants(with_jit=True, without_jit=True)
    @parameterized.parameters("kl", "martingale")
    def test_the_consistency_loss_has_finite_gradients(self, form):
        def loss(table, z, x, t, key):
            def denoise(z):
                return table[z]

            return consistency.consistency_loss(
                denoise, denoise, z, denoise(z), x, t, Cosine(),
                Consistency(form=form), key,
            )  # fmt: skip

        arguments = map(jnp.asarray, (TABLE, Z, PARTLY, T))
        result = self.variant(jax.value_and_grad(loss))(*arguments, key())
        chex.assert_shape(result, [(), TABLE.shape])
        chex.assert_type(result, jnp.float32)
        chex.assert_tree_all_finite(result)


def test_every_public_function_has_a_contract():
    public = {
        f"{module.__name__.rsplit('.', 1)[-1]}.{name}"
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and function.__module__ == module.__name__
    }
    assert public == set(CONTRACTS) - {"keys.row_keys"}
