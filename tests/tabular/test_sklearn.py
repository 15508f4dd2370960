"""scikit-learn's own checks of the contract; none is expected to fail.

One is skipped by scikit-learn itself, for want of SCIPY_ARRAY_API: array API input.
"""

import jax
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from ambient_jax import AmbientImputer, Recipe

LEAST = Recipe(
    width=8,
    depth=1,
    embed=2,
    max_epochs=1,
    batch_size=32,
    rounds=1,
    em_start=1.0,
    consistency_weight=0.0,
)
"""One round without an E-step: the checks fit often, and look at no figure."""


@pytest.fixture(scope="module", autouse=True)
def quick_compilation():
    """The checks compile some hundred programs that run for milliseconds."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [AmbientImputer(random_state=0, recipe=LEAST, validation_fraction=0.0)]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
