"""`statistic="joint"`: the cells of a row come from one draw, the most central one."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.completion import Completion
from ambient_jax.tabular.joint import medoids
from ambient_jax.tabular.model import TableModel
from tests.toys import Table

SUM = np.full((2, 2, 2), 1e-7)
SUM[0, 1, 1] = SUM[1, 0, 1] = SUM[1, 1, 0] = 1 / 3
SUM /= SUM.sum()
"""Two of three cells are 1: so is the mode of each, but never all three at once."""


@dataclass(frozen=True)
class ExactTable(Table):
    """The network that knows a joint of binary cells exactly, and needs no context."""

    def apply(self, params, z, context=None):
        return super().apply(params, z)


@pytest.fixture(scope="module")
def model():
    rows = np.argwhere(SUM > 0.1).repeat(4, axis=0)
    codec = TableCodec.fit(pd.DataFrame(rows > 0, columns=list("abc")))
    codec = replace(codec, num_values=2)  # that of the network
    return TableModel(codec=codec, denoiser=ExactTable(3), params=Table.exact(SUM)[1])


@pytest.fixture(scope="module")
def frame():
    """Rows without any observed cell, and rows with one or two."""
    x = pd.DataFrame(np.full((40, 3), None), columns=list("abc"))
    x.loc[10:19, "a"], x.loc[20:29, "b"], x.loc[30:34, ["a", "c"]] = False, True, True
    return x.astype("boolean")


def completed(model, frame, statistic, seed=0):
    return Completion(model.codec, model, frame, {}).point_estimates(statistic, seed)


def test_joint_estimates_are_possible_rows_where_the_modes_are_not(model, frame):
    assert (completed(model, frame, "mode").iloc[:10].sum(axis=1) == 3).all()
    out = completed(model, frame, "joint")
    assert (out.sum(axis=1) == 2).all()
    seen = frame.notna().to_numpy()
    np.testing.assert_array_equal(out.to_numpy()[seen], frame.to_numpy()[seen])


def test_joint_estimates_depend_on_the_seed_and_the_row_alone(model, frame):
    out = completed(model, frame, "joint")
    pd.testing.assert_frame_equal(completed(model, frame, "joint"), out)
    few = frame.iloc[[3, 15, 27, 36]]
    pd.testing.assert_frame_equal(completed(model, few, "joint"), out.loc[few.index])
    others = [completed(model, frame, "joint", seed) for seed in range(1, 9)]
    assert not all(other.equals(out) for other in others)


def test_one_missing_cell_gets_its_median_without_a_draw(frame):
    rows = pd.DataFrame({"x": np.arange(400.0), "z": np.arange(400.0)})
    codec = TableCodec.fit(rows, max_bins=8)

    @dataclass(frozen=True, eq=False, kw_only=True)
    class NoDraws(TableModel):
        def draw(self, *arguments):
            raise AssertionError("it need not draw")

        def probabilities(self, encoded, rows):
            yield rows, np.full((len(rows), 2, codec.num_values), 1.0)

    model = NoDraws(codec=codec, denoiser=ExactTable(3), params=np.zeros(1))
    rows.loc[::7, "x"] = np.nan
    done = Completion(codec, model, rows, {1: 5.0})
    joint = done.point_estimates("joint", 0)
    pd.testing.assert_frame_equal(joint, done.point_estimates("median", 0))


def test_the_medoid_is_the_median_of_numbers_and_the_mode_of_categories():
    """Distances are counted over missing cells, numbers by ranks, columns together."""
    x = pd.DataFrame({"n": np.arange(40.0) ** 3, "c": list("uvwx") * 10})
    columns = TableCodec.fit(x, max_bins=4).columns
    draws = np.zeros((5, 3, 2), int)
    draws[:, 0, 0], draws[:, 0, 1] = [0, 3, 2, 3, 1], [0, 1, 2, 3, 3]
    draws[:, 1, 0], draws[:, 1, 1] = [0, 0, 0, 0, 2], [3, 2, 1, 1, 1]
    draws[:, 2, 0], draws[:, 2, 1] = [0, 1, 3, 3, 3], [1, 0, 2, 3, 0]
    number = np.array([[True, False]] * 3)
    assert medoids(columns, draws, number).tolist() == [2, 0, 2]
    assert medoids(columns, draws, ~number).tolist() == [3, 2, 1]
    # Of the last row 6.5, 4.75, 5.25, 5.25 and 4.25, in fifths.
    assert medoids(columns, draws, number | ~number)[2] == 4
