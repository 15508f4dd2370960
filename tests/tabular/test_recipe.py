"""How the settings of a fit follow the size of the table."""

import numpy as np
import pytest

from ambient_jax.assembly.assemble import assemble
from ambient_jax.data.dataset import IncompleteData
from ambient_jax.mesh import make_table_mesh
from ambient_jax.networks.column_network import ColumnNetwork, ColumnTables
from ambient_jax.tabular.fitting.recipe import (
    BATCH,
    COST_LIMIT,
    HIDDEN_COLUMNS,
    MAX_MEMBERS,
    MAX_SMALL_MEMBERS,
    STEPS,
    TINY_ROWS,
    Recipe,
)


def trainer_of(num_rows):
    tables = ColumnTables.of(
        log_share=np.zeros((2, 3)), rank=np.zeros((2, 3)), score=np.zeros((2, 3, 2))
    )
    data = IncompleteData(
        tokens=np.zeros((num_rows, 2), np.uint8), shape=(2,), num_values=3,
        context=np.zeros((num_rows, 6), np.float32),
    )  # fmt: skip
    mesh = make_table_mesh()
    settings = Recipe().settings(num_rows, mesh.size, seed=0)
    return assemble(ColumnNetwork(tables=tables), data, settings, mesh)


@pytest.mark.parametrize(("num_rows", "all_of_them"), [(500, True), (10**6, False)])
def test_an_estep_draws_no_more_rows_than_training_can_use(num_rows, all_of_them):
    trainer = trainer_of(num_rows)
    trained = trainer.plan.steps_per_round * trainer.plan.batch_size
    drawn = trainer.estep.row_share * num_rows
    assert (drawn == num_rows) is all_of_them
    assert drawn <= min(num_rows, 2 * trained) + 1
    assert drawn >= min(num_rows, trained)
    first = trainer.estep.start_round
    assert len(trainer.driver.chosen_rows(first)) == round(drawn)


def test_the_consistency_loss_is_for_tables_with_more_than_a_few_rows():
    assert trainer_of(TINY_ROWS - 1).objective.consistency is None
    assert trainer_of(TINY_ROWS).objective.consistency is not None
    asked = Recipe(consistency_weight=1.0).settings(50, 1, seed=0)
    assert asked.family.consistency_weight == 1.0


def test_steps_lie_in_their_limits_until_a_pass_takes_more():
    recipe = Recipe()
    assert recipe.steps(50) == STEPS[0]
    assert STEPS[0] < recipe.steps(3000) < STEPS[1]
    assert recipe.steps(20_000) == STEPS[1]
    assert recipe.steps(5_000_000) == round(5_000_000 / BATCH)


def test_an_ensemble_costs_no_more_than_one_network_of_a_large_table():
    recipe = Recipe()
    counts = [recipe.ensemble(n, 17) for n in (50, 4000, 20_000)]
    assert counts == [MAX_SMALL_MEMBERS, MAX_MEMBERS, 1]
    assert recipe.ensemble(2900, 500) == 1
    sizes = [(n, c) for n in (300, 5000, 8000, 30_000) for c in (3, 17, 60)]
    for n, c in sizes:
        count = recipe.ensemble(n, c)
        steps = recipe.steps(n) * recipe.batch(n) / BATCH
        assert count == 1 or count * steps * (c + HIDDEN_COLUMNS) <= COST_LIMIT
    assert Recipe(members=5).ensemble(10**6, 17) == 5
    # A short fit is one of as many networks: its length is the user's, not the table's.
    assert Recipe(max_epochs=1).ensemble(20_000, 17) == 1
