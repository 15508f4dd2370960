"""Numbers beyond the observed range, where the rest of their row tells of them."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from ambient_jax import AmbientImputer, Recipe
from ambient_jax.files import digest, write_npz
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.columns.number import NumberColumn
from ambient_jax.tabular.columns.tail_shift import Ends, within
from ambient_jax.tabular.linear.tail_extrapolation import beyond, room
from ambient_jax.tabular.linear.tail_fit import ENOUGH, fit_reach
from ambient_jax.tabular.predictive import lacking

BRISK = Recipe(
    width=32, depth=1, embed=8, max_epochs=20, batch_size=64, rounds=4, members=1,
    em_start=1.0, consistency_weight=0.0,
)  # fmt: skip


def pair(n=600, seed=0, noise=0.1):
    """y is 2 x and a little noise; it is missing wherever it is large."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = 2 * x + rng.normal(0, noise, n)
    return pd.DataFrame({"x": x, "y": y})


def shown(truth, share=0.85, low=False):
    hidden = truth["y"] > truth["y"].quantile(share)
    if low:
        hidden |= truth["y"] < truth["y"].quantile(1 - share)
    return truth.assign(y=truth["y"].mask(hidden))


def fitted(frame, **fields):
    return AmbientImputer(random_state=0, recipe=BRISK, **fields).fit(frame)


def reach_of(frame):
    codec = TableCodec.fit(frame)
    encoded = codec.encode(frame)
    return codec, encoded, fit_reach(codec, encoded, np.ones(len(frame), bool))


def tails_of(frame):
    codec, encoded, reach = reach_of(frame)
    assert reach is not None
    return codec, reach.tails(codec, encoded.tokens, encoded.values)


@pytest.fixture(scope="module")
def line():
    truth = pair()
    frame = shown(truth)
    return truth, frame, fitted(frame)


def errors(truth, frame, full):
    hidden = frame["y"].isna()
    return (full["y"] - truth["y"])[hidden].to_numpy()


def test_the_mean_leaves_the_range_and_beats_clipping_by_far(line):
    truth, frame, imputer = line
    hidden = frame["y"].isna()
    most = frame["y"].max()
    clipped = np.sqrt(((most - truth["y"])[hidden] ** 2).mean())
    for statistic in ("auto", "mean", "median"):
        full = imputer.set_params(statistic=statistic).transform(frame)
        assert np.sqrt((errors(truth, frame, full) ** 2).mean()) < 0.5 * clipped
        assert full["y"].max() > most + 1
        pd.testing.assert_frame_equal(full.where(frame.notna()), frame)
    imputer.set_params(statistic="auto")


def test_without_reach_no_value_leaves_the_range(line):
    _, frame, imputer = line
    model = imputer.model_
    imputer.model_ = dataclasses.replace(model, reach=None)
    full, draw = imputer.transform(frame), imputer.sample_imputations(frame, 1)[0]
    imputer.model_ = model
    end = imputer.codec_.columns[1].coder.high[-1]
    assert full["y"].max() <= end
    assert draw["y"].max() <= end


def test_draws_go_as_far_as_the_mean_says(line):
    truth, frame, imputer = line
    hidden = frame["y"].isna()
    draws = np.stack([d["y"][hidden] for d in imputer.sample_imputations(frame, 20)])
    mean = imputer.set_params(statistic="mean").transform(frame)["y"][hidden]
    imputer.set_params(statistic="auto")
    assert np.abs(draws.mean(axis=0) - mean).mean() < 0.15
    assert draws.mean() == pytest.approx(truth["y"][hidden].mean(), abs=0.4)


def test_intervals_follow_beyond_the_range(line):
    truth, frame, imputer = line
    told = imputer.predict_distribution(frame).set_index("row")
    y = truth["y"][told.index]
    far = y > frame["y"].max() + 0.5
    inside = (told["q0.05"] <= y) & (y <= told["q0.95"])
    assert inside[far].mean() > 0.8
    assert (told["q0.95"] - told["q0.05"])[far].mean() < 2.0  # of values from 1.6 to 6
    assert (told["q0.05"] <= told["q0.5"]).all()
    assert (told["q0.5"] <= told["q0.95"]).all()


def test_same_after_saving_and_older_files_have_none(line, tmp_path):
    _, frame, imputer = line
    imputer.save(tmp_path)
    again = AmbientImputer.load(tmp_path)
    pd.testing.assert_frame_equal(
        again.transform(frame), imputer.transform(frame), check_exact=True
    )
    pd.testing.assert_frame_equal(
        again.sample_imputations(frame, 1)[0], imputer.sample_imputations(frame, 1)[0],
        check_exact=True,
    )  # fmt: skip
    with np.load(tmp_path / "model.npz") as archive:
        arrays = {k: archive[k] for k in archive.files if not k.startswith("reach/")}
    write_npz(tmp_path / "model.npz", arrays)
    fields = json.loads((tmp_path / "model.json").read_text())
    fields |= {
        "version": 3, "npz_sha256": digest((tmp_path / "model.npz").read_bytes())
    }  # fmt: skip
    (tmp_path / "model.json").write_text(json.dumps(fields))
    old = AmbientImputer.load(tmp_path)
    assert old.model_.reach is None
    assert old.transform(frame)["y"].max() <= old.codec_.columns[1].coder.high[-1]


@pytest.mark.parametrize("seed", range(6))
def test_a_tail_of_noise_stays(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.standard_t(2.5, size=(800, 3)), columns=list("abc"))
    _, _, reach = reach_of(frame.mask(rng.random(frame.shape) < 0.2))
    assert reach is None or reach.trust.max() == 0


def test_a_noisy_tail_on_a_line_is_hardly_trusted():
    """The line tells of the middle; what makes values extreme is told by nothing."""
    truth = pair(1000, noise=0.3)
    rng = np.random.default_rng(1)
    truth["y"] += np.where(rng.random(1000) < 0.03, rng.exponential(20, 1000), 0.0)
    _, _, reach = reach_of(truth)
    assert reach is None or reach.trust[1, 1] < 0.2


def test_what_is_hidden_tells_nothing():
    frame = shown(pair())
    codec, encoded, reach = reach_of(frame)
    junk = np.where(np.isnan(encoded.values), 1e6, encoded.values)
    a = reach.tails(codec, encoded.tokens, encoded.values)
    b = reach.tails(codec, encoded.tokens, junk)
    np.testing.assert_array_equal(a.ends.moves, b.ends.moves)
    np.testing.assert_array_equal(a.least, b.least)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e15])
def test_units_do_not_matter(scale):
    frame = shown(pair(), low=True)
    codec, tails = tails_of(frame)
    other, scaled = tails_of(frame * scale)
    assert (tails.ends.moves[:, 1] > 0.5).any(axis=0).all()  # at both ends
    np.testing.assert_allclose(scaled.ends.moves, tails.ends.moves * scale, rtol=1e-3)
    k = codec.columns[1].coder.size
    assert other.columns[1].coder.size == k


def test_no_further_than_a_range_and_never_across_zero():
    truth = pair()
    truth["y"] += 10
    codec, _, reach = reach_of(shown(truth, low=True))
    assert reach is not None
    encoded = codec.encode(pd.DataFrame({"x": [-40.0, 40.0], "y": [np.nan] * 2}))
    reach = dataclasses.replace(reach, trust=np.ones((2, 2)))
    moves = reach.tails(codec, encoded.tokens, encoded.values).ends.moves[:, 1]
    coder = codec.columns[1].coder
    coder_range = coder.high[-1] - coder.low[0]
    assert moves[0, 0] == pytest.approx(min(coder.low[0], coder_range))
    assert moves[1, 1] == pytest.approx(coder_range)
    positive = dataclasses.replace(coder, low=coder.low - coder.low[0] + 0.5)
    assert room(positive)[0] == 0.5
    assert room(dataclasses.replace(coder, low=coder.low * 0))[0] == 0
    assert (moves >= 0).all()
    assert (coder.low[0] - moves[:, 0] >= 0).all()


def test_whole_numbers_stay_whole_and_inside_their_dtype():
    truth = (pair() * 30 + 170).round()
    truth["y"] = truth["y"].clip(0, 255)
    frame = shown(truth)
    frame["y"] = frame["y"].astype("UInt8")
    imputer = fitted(frame)
    assert imputer.model_.reach.trust[1, 1] > 0
    for full in (imputer.transform(frame), *imputer.sample_imputations(frame, 3)):
        assert full["y"].dtype == "UInt8"
        assert full["y"].max() > frame["y"].max()
        assert full["y"].max() <= 255
    told = imputer.predict_distribution(frame)
    assert (told["q0.95"] <= 255).all()
    whole = imputer.sample_imputations(frame.astype("Float64"), 1)[0]["y"]
    assert (whole == whole.round()).all()


def test_an_atom_at_the_end_stays():
    truth = pair()
    truth["y"] = truth["y"].clip(upper=truth["y"].quantile(0.8))
    frame = truth.assign(y=truth["y"].mask(np.arange(600) % 4 == 0))
    codec, _, reach = reach_of(frame)
    assert codec.columns[1].coder.atom[-1]
    assert reach is None or reach.trust[1, 1] == 0


def test_too_few_cells_and_one_column_have_none():
    assert reach_of(shown(pair(ENOUGH)))[2] is None
    assert reach_of(pair()[["x"]])[2] is None


def test_odd_columns_do_no_harm():
    truth = pair(400)
    rng = np.random.default_rng(0)
    odd = shown(truth).assign(
        same=1.0, rare=np.where(rng.random(400) < 0.01, 3.5, np.nan),
        name=rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 400),
        huge=rng.normal(size=400) * 1e140,
    )  # fmt: skip
    codec, encoded, reach = reach_of(odd)
    tails = reach.tails(codec, encoded.tokens, encoded.values)
    assert np.isfinite(tails.ends.moves).all()
    assert tails.ends.moves[:, 1, 1].max() > 0.5


def test_mean_of_a_truncated_normal():
    rng = np.random.default_rng(0)
    x = rng.normal(1.0, 2.0, 400_000)
    mean, sd, share = beyond(2.0, np.array([1.0, 1e5, -1e9]), np.array([4.0, 1.0, 1.0]))
    assert mean[0] == pytest.approx(x[x > 2].mean(), rel=0.01)
    assert sd[0] == pytest.approx(x[x > 2].std(), rel=0.01)
    np.testing.assert_allclose(sd[1:], [1.0, 0.0], atol=2e-3)
    assert share[0] == pytest.approx((x > 2).mean(), rel=0.01)
    np.testing.assert_allclose(mean[1:], [1e5, 2.0], rtol=1e-3)
    np.testing.assert_allclose(share[1:], [1.0, 0.0])
    far = beyond(2.0, np.array([1e308]), np.ones(1))
    assert np.isfinite(far).all()


def test_ends_keep_cells_apart_and_within_the_room():
    column = TableCodec.fit(pair()[["y"]]).columns[0].coder
    moves, stretch = np.array([[0.0, 0.4], [3.0, 0.01]]), np.full((2, 2), 50.0)
    ends = within(moves, stretch, np.array([1.0, 0.5]), column.gaps)
    assert ends.stretch[0, 0] == 1.0  # nothing moves, nothing stretches
    assert ends.moves.max(axis=0).tolist() == [1.0, 0.4]
    last = np.full(2, column.size - 1)
    for token, end, inner, outer in (
        (0, 0, column.high[0], column.low[0] - 1.0),
        (column.size - 1, 1, column.low[-1], column.high[-1] + 0.5),
    ):
        k = np.full(2, token)
        told = [column.outward(k, column.quantile_inside(k, np.full(2, u)), ends)
                for u in (0.0, 1.0)]  # fmt: skip
        side = 1 if end else -1
        assert (side * np.array(told) >= side * inner - 1e-9).all()
        assert (side * np.array(told) <= side * outer + 1e-9).all()
    values = np.linspace(column.low[-1], column.high[-1], 2)
    back = column.inward(last, column.outward(last, values, ends), ends)
    np.testing.assert_allclose(back, values, rtol=1e-12)
    p = np.full((2, column.size), 1 / column.size)
    told = [column.quantile(p, np.full(2, u), ends) for u in np.linspace(0, 1, 200)]
    assert (np.diff(told, axis=0) >= -1e-9).all()


@pytest.mark.parametrize("seed", range(30))
def test_no_rounding_crosses_zero(seed):
    rng = np.random.default_rng(seed)
    column = NumberColumn.fit(rng.lognormal(size=400), 64)
    moves = rng.random((50, 2)) * room(column)
    ends = within(moves, np.full((50, 2), 1e9), room(column), column.gaps)
    p = np.tile(column.share, (50, 1))
    assert (column.quantile(p, np.zeros(50), ends) >= 0).all()
    assert (column.decode(np.zeros(50, int), np.zeros(50), ends) >= 0).all()


def test_moments_are_those_of_the_draws():
    column = TableCodec.fit(pair()[["y"]]).columns[0].coder
    inside = [column.quantile_inside(np.full(999, k), np.linspace(0, 1, 1001)[1:-1])
              for k in range(column.size)]  # fmt: skip
    mean, sd = np.mean(inside, axis=1), np.std(inside, axis=1)
    column = dataclasses.replace(column, mean=mean, sd=sd)  # not those of a few values
    rng = np.random.default_rng(0)
    p = np.zeros((1, column.size))
    p[0, [0, 5, -1]] = 0.3, 0.1, 0.6
    ends = Ends(moves=np.array([[0.5, 2.0]]), stretch=np.array([[1.5, 3.0]]))
    k = rng.choice(column.size, 50_000, p=p[0])
    draws = column.decode(k, rng.random(len(k)), ends)
    mean, sd = column.moments(p, ends)
    assert draws.mean() == pytest.approx(mean[0], abs=0.03)
    assert draws.std() == pytest.approx(sd[0], rel=0.03)
    median = column.quantile(p, np.full(1, 0.5), ends)
    assert np.median(draws) == pytest.approx(median[0], abs=0.05)


def test_lifted_draws_have_the_probability():
    p, least = np.array([0.2, 0.5, 1.0]), np.array([0.6, 0.1, 0.7])
    share = lacking(p, least)
    np.testing.assert_allclose(p + (1 - p) * share, np.maximum(p, least))
