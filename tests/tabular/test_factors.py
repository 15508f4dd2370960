"""Small tables start from a linear Gaussian model of their columns."""

import dataclasses
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ambient_jax import AmbientImputer
from ambient_jax.files import digest, write_npz
from ambient_jax.tabular.columns.codec import TableCodec
from ambient_jax.tabular.linear.warm_start import fit_factors
from ambient_jax.tabular.saving.ambient import FACTORS_BEFORE_6
from tests.tabular.test_imputer import QUICK, mixed


def line(n=150, seed=0):
    """y is x but for a noise of .2; kind says whether both are large."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = x + rng.normal(0, 0.2, n)
    kind = np.where(x + rng.normal(0, 0.2, n) > 0, "high", "low")
    return pd.DataFrame({"x": x, "y": y, "kind": kind})


def probabilities(factors, codec, frame):
    """Probabilities `[N, L, V]` given what is not missing in `frame`."""
    e = codec.encode(frame)
    one_hot = jax.nn.one_hot(e.tokens.astype(int), codec.num_values)
    score = jnp.asarray(e.context.reshape(*e.tokens.shape, 3)[..., 0])
    ask = jax.jit(factors.log_probability)
    p = np.exp(np.asarray(ask(one_hot, score)))
    junk = jnp.where(one_hot.sum(-1) > 0, score, 9.0)  # what hidden cells hold
    again = np.exp(np.asarray(ask(one_hot, junk)))
    np.testing.assert_array_equal(p, again)
    return p


def fitted(frame):
    codec = TableCodec.fit(frame)
    e = codec.encode(frame)
    return codec, fit_factors(codec, e.tokens, e.context)


def test_nothing_visible_leaves_the_shares_and_each_sums_to_one():
    frame = mixed()
    codec, factors = fitted(frame)
    p = probabilities(factors, codec, frame)
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, atol=1e-4)
    blank = frame.iloc[:1].mask(np.ones((1, frame.shape[1]), bool))
    nothing = probabilities(factors, codec, blank)[0]
    for i, column in enumerate(codec.columns):
        k = column.coder.size
        np.testing.assert_allclose(nothing[i, :k], column.coder.share, atol=0.02)
        assert (p[:, i, k:] == 0).all()


@pytest.mark.parametrize("hidden", ["x", "y", "kind"])
def test_what_is_visible_tells_what_is_hidden(hidden):
    frame = line().mask(np.random.default_rng(1).random((150, 3)) < 0.3)
    codec, factors = fitted(frame)
    new = line(400, seed=1)
    number = list(new).index(hidden)
    column = codec.columns[number]
    p = probabilities(factors, codec, new.assign(**{hidden: None}))[:, number]
    p = p[:, : column.coder.size].astype(float)
    if hidden == "kind":
        right = column.coder.decode(p.argmax(axis=1)) == new["kind"]
        assert right.mean() > 0.85
    else:
        mean, sd = column.coder.moments(p)
        assert np.sqrt(np.mean((mean - new[hidden]) ** 2)) < 0.4
        assert sd.mean() < 0.6  # and it knows that it knows


def test_one_visible_category_moves_a_number():
    codec, factors = fitted(line())
    new = pd.DataFrame({"x": [np.nan] * 2, "y": [np.nan] * 2, "kind": ["low", "high"]})
    coder = codec.columns[0].coder
    p = probabilities(factors, codec, new)[:, 0, : coder.size].astype(float)
    mean, _ = coder.moments(p)
    assert mean[0] < -0.4
    assert mean[1] > 0.4


def test_a_number_has_the_mass_of_a_gaussian_between_edges():
    codec, factors = fitted(line())
    whole = dataclasses.replace(
        factors, mixture_weight=np.ones_like(factors.mixture_weight)
    )
    p = probabilities(
        whole, codec, pd.DataFrame({"x": [np.nan], "y": [np.nan], "kind": [None]})
    )
    edges = np.asarray(factors.bin_edges[0], float)
    sd = np.sqrt((factors.loading[0] ** 2).sum() + factors.noise[0])
    np.testing.assert_allclose(p[0, 0], np.diff(norm.cdf(edges / sd)), atol=1e-6)


def test_columns_that_factors_cannot_tell_trust_them_less():
    rng = np.random.default_rng(2)
    luck = {f"luck{i}": rng.choice(list("pqrs"), 240) for i in range(8)}
    frame = line(240).assign(**luck)
    _, factors = fitted(frame.mask(rng.random(frame.shape) < 0.2))
    assert factors.mixture_weight[:3].min() > 0.85
    assert factors.mixture_weight[3:].max() < 0.8


def rename_as_in_version_5(folder):
    """Gives the arrays of the factors the names that they had before version 6."""
    former = {now: before for before, now in FACTORS_BEFORE_6.items()}
    with np.load(folder / "model.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name in [name for name in arrays if name.startswith("factors/")]:
        now = name.removeprefix("factors/")
        arrays[f"factors/{former.get(now, now)}"] = arrays.pop(name)
    assert "factors/gram" in arrays
    write_npz(folder / "model.npz", arrays)
    fields = json.loads((folder / "model.json").read_text())
    fields |= {"version": 5, "npz_sha256": digest((folder / "model.npz").read_bytes())}
    (folder / "model.json").write_text(json.dumps(fields))


def test_odd_columns_do_no_harm():
    rng = np.random.default_rng(0)
    odd = line(400).assign(
        same=1.0, rare=np.where(rng.random(400) < 0.01, 3.5, np.nan),
        name=rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 400),
        huge=rng.normal(size=400) * 1e140,
    )  # fmt: skip
    codec, factors = fitted(odd)
    p = probabilities(factors, codec, odd)
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, atol=1e-4)
    new = line(400, seed=1)
    y = odd.assign(x=new["x"], y=np.nan, kind=new["kind"])
    coder = codec.columns[1].coder
    p = probabilities(factors, codec, y)[:, 1, : coder.size].astype(float)
    mean, _ = coder.moments(p)
    assert np.sqrt(np.mean((mean - new["y"]) ** 2)) < 0.4


def test_a_small_table_starts_from_factors_and_a_large_one_does_not(tmp_path):
    frame = line().mask(np.random.default_rng(1).random((150, 3)) < 0.3)
    errors = {}
    for rows in (151, 0):
        recipe = dataclasses.replace(QUICK, factor_rows=rows)
        imputer = AmbientImputer(random_state=0, recipe=recipe).fit(frame)
        # The regression, which knows the line too, is not asked.
        imputer.model_ = dataclasses.replace(imputer.model_, regression=None)
        assert (imputer.model_.denoiser.denoiser.factors is not None) == (rows > 0)
        new = line(400, seed=1)
        full = imputer.transform(new.assign(y=np.nan))
        errors[rows] = np.abs(full["y"] - new["y"]).mean()
        imputer.save(tmp_path / str(rows))
        again = AmbientImputer.load(tmp_path / str(rows))
        pd.testing.assert_frame_equal(again.transform(new.assign(y=np.nan)), full)
        if rows:
            rename_as_in_version_5(tmp_path / str(rows))
            old = AmbientImputer.load(tmp_path / str(rows))
            chex.assert_trees_all_equal(
                old.model_.denoiser.denoiser.factors,
                imputer.model_.denoiser.denoiser.factors,
            )
    assert errors[151] < 0.35 < 0.6 < errors[0]
