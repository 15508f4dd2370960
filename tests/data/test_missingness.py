"""Mechanisms: the rate they reach, and what the chance depends on, and users' own."""

from dataclasses import dataclass

import numpy as np
import pytest

from ambient_jax.data.missingness import (
    MAR,
    MCAR,
    MECHANISMS,
    MNAR,
    Blocks,
    Lines,
    mask_tokens,
)
from ambient_jax.experiment import build
from configs import baseline

RNG = np.random.default_rng


def pictures(n=4000, side=8):
    rng = RNG(0)
    level = rng.random((n, 1, 1)) * 0.8
    return (rng.random((n, side, side)) < level + 0.1).astype(np.uint8)


@pytest.mark.parametrize("name", sorted(MECHANISMS))
@pytest.mark.parametrize("rate", [0.0, 0.5, 0.85])
@pytest.mark.parametrize("shape", [(8, 8), (20,)])
def test_the_rate_is_reached_and_the_seed_decides(name, rate, shape):
    x = RNG(0).integers(0, 2, (4000, *shape))
    mechanism = MECHANISMS[name](rate=rate)
    observed = mechanism(x, 2, RNG(1))
    assert observed.shape == x.shape
    assert observed.dtype == bool
    assert abs((~observed).mean() - rate) < 0.02
    assert np.array_equal(observed, mechanism(x, 2, RNG(1)))
    if rate:
        assert not np.array_equal(observed, mechanism(x, 2, RNG(2)))


def test_mcar_does_not_look_at_values():
    x = pictures()
    missing = ~MCAR(rate=0.6)(x, 2, RNG(1))
    assert abs(missing[x == 1].mean() - missing[x == 0].mean()) < 0.01


def test_mnar_hides_large_values_more():
    x = pictures()
    missing = ~MNAR(rate=0.6, strength=2.0)(x, 2, RNG(1))
    p1, p0 = missing[x == 1].mean(), missing[x == 0].mean()
    log_odds = np.log(p1 / (1 - p1)) - np.log(p0 / (1 - p0))
    assert abs(log_odds - 2.0) < 0.1


def test_mar_depends_on_its_anchors_alone():
    """Anchors are always seen; given them, the other values do not matter."""
    x = pictures(20_000)
    observed = MAR(rate=0.5, strength=2.0)(x, 2, RNG(1)).reshape(len(x), -1)
    flat = x.reshape(len(x), -1)
    anchors = observed.all(axis=0)
    assert anchors.sum() == 6
    share = (~observed[:, ~anchors]).mean(axis=1)
    score = flat[:, anchors].sum(axis=1)
    assert np.corrcoef(share, score)[0, 1] > 0.5
    for level in (1, 3, 5):
        rows = score == level
        missing, values = ~observed[rows][:, ~anchors], flat[rows][:, ~anchors]
        gap = missing[values == 1].mean() - missing[values == 0].mean()
        assert abs(gap) < 0.02


def test_mar_says_when_its_anchors_forbid_the_rate():
    with pytest.raises(ValueError, match="out of reach"):
        MAR(rate=0.95)(pictures(50), 2, RNG(0))


def test_blocks_are_contiguous():
    missing = ~Blocks(rate=0.5, size=4)(pictures(2000, 12), 2, RNG(1))
    both = (missing[:, :, 1:] & missing[:, :, :-1]).mean()
    assert both > 0.38  # independent cells: 0.25


def test_lines_hide_whole_rows_or_columns():
    missing = ~Lines(rate=0.5)(pictures(200), 2, RNG(1))
    by_row = (missing == missing[:, :, :1]).all(axis=(1, 2))
    by_column = (missing == missing[:, :1, :]).all(axis=(1, 2))
    assert (by_row | by_column).all()
    assert 0.3 < by_row.mean() < 0.7


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        MCAR(rate=rate)


def test_a_users_own_mechanism_is_chosen_by_its_name(monkeypatch):
    """As the module's docstring shows it, from a config."""

    @dataclass(frozen=True, kw_only=True)
    class TopHalf:
        rate: float = 0.5

        def __call__(self, x, num_values, rng):
            observed = np.ones(x.shape, bool)
            observed[:, : round(self.rate * x.shape[1])] = False
            return observed

    monkeypatch.setitem(MECHANISMS, "top_half", TopHalf)
    config = baseline.get_config("digits")
    config.data.missingness.update(name="top_half", rate=0.25)
    train = build.dataset(config).train
    hidden = (train.tokens == train.mask).reshape(-1, 8, 8)
    assert hidden[:, :2].all()
    assert not hidden[:, 2:].any()


def test_mask_tokens_masks_more_cells_of_incomplete_rows():
    tokens = RNG(0).integers(0, 4, (2000, 6)).astype(np.uint8)  # MASK is 3
    masked = mask_tokens(MCAR(rate=0.3), tokens, 3, RNG(1))
    assert masked.dtype == tokens.dtype
    hidden = RNG(1).random(tokens.shape) < 0.3
    assert np.array_equal(masked, np.where(hidden, 3, tokens))
    assert (masked[tokens == 3] == 3).all()
    assert np.array_equal(mask_tokens(MCAR(rate=0.0), tokens, 3, RNG(1)), tokens)
