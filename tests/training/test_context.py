"""A row's context follows the row through train step, E-step and evaluation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.data.dataset import IncompleteData
from ambient_jax.diffusion.masked.completer import MaskedCompleter
from ambient_jax.diffusion.masked.objective import MaskedObjective
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.training.estep import EStep
from ambient_jax.training.hooks import Quiet
from ambient_jax.training.optimizer import make_optimizer
from ambient_jax.training.trainer import Plan, Trainer

L = 5


@dataclasses.dataclass(frozen=True)
class Echo:
    """A network whose context is the row: it predicts `context`, plus a bias."""

    length: int = L
    num_values: int = 2

    def init(self, key):
        return jnp.zeros((1, L, 2), jnp.float32)

    def apply(self, params, z, context=None):
        assert context is not None
        assert context.shape == z.shape
        return 30.0 * jax.nn.one_hot(context.astype(jnp.int32), 2) + params


def rows_with_context(n=37):
    rng = np.random.default_rng(0)
    context = rng.integers(0, 2, (n, L)).astype(np.float32)
    tokens = np.full((n, L), 2, np.uint8)
    tokens[:, 0] = context[:, 0]
    data = IncompleteData(tokens=tokens, shape=(L,), num_values=2, context=context)
    return data, context


def test_rows_keep_their_context_in_every_compiled_function(mesh):
    data, context = rows_with_context()
    functions = RowFunctions(Echo(), mesh, 8, Sampler(num_reveals=2))
    params, key = jnp.zeros((1, L, 2)), jax.random.key(0)
    drawn = functions.draw(params, key, data.tokens, context=context)
    np.testing.assert_array_equal(drawn, context)
    mode, _ = functions.marginals(params, key, data.tokens, context=context)
    np.testing.assert_array_equal(mode, context)


def test_rows_keep_their_context_in_training_and_in_the_e_step(mesh):
    data, context = rows_with_context()
    plan = Plan(rounds=3, steps_per_round=2, batch_size=8, estep_batch_size=8)
    trainer = Trainer(
        Echo(), data, MaskedObjective(),
        EStep(start_round=1, row_share=0.5, completer=MaskedCompleter(
            initial_sampler=Sampler(num_reveals=16), fraction=0.3,
            refresh_sampler=Sampler(num_reveals=4),
        )), plan,
        make_optimizer(
            learning_rate=1e-3, warmup_steps=1, total_steps=6, weight_decay=0.0,
            clip_norm=1.0,
        ), mesh,
    )  # fmt: skip
    progress = trainer.run(trainer.start(), Quiet())
    np.testing.assert_array_equal(progress.completions, context)


def test_context_must_have_a_row_per_row():
    data, context = rows_with_context()
    with pytest.raises(ValueError, match="36"):
        dataclasses.replace(data, context=context[:-1])
