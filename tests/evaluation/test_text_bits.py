"""Bits per character: of a source whose entropy is known, and of its hidden part."""

from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ambient_jax.data.alphabet import TEXT8
from ambient_jax.data.missingness import MCAR
from ambient_jax.data.text import load_text
from ambient_jax.diffusion.masked.sampling import Sampler
from ambient_jax.evaluation.masked import MaskedEvaluators
from ambient_jax.evaluation.suite import Suite
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.mesh import make_mesh

LETTERS, SHARES = "abz", (0.5, 0.25, 0.25)
ENTROPY = 1.5  # bits


@dataclass(frozen=True)
class Independent:
    """The exact denoiser of independent characters: their shares, whatever is seen."""

    length: int
    num_values: int = 27

    def init(self, key):
        shares = np.full(self.num_values, 1e-30)
        shares[[TEXT8.index(letter) for letter in LETTERS]] = SHARES
        return jnp.log(jnp.asarray(shares, jnp.float32))

    def apply(self, params, z):
        return jnp.broadcast_to(params, (*z.shape, self.num_values))


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """All figures of the exact denoiser on a text of independent letters."""
    path = tmp_path_factory.mktemp("text") / "letters.txt"
    rng = np.random.default_rng(0)
    path.write_text("".join(rng.choice(list(LETTERS), 12_000, p=SHARES)))
    data = load_text(f"text:{path}", missingness=MCAR(rate=0.5), length=12)
    network, mesh = Independent(12), make_mesh()
    suite = Suite(
        evaluators=MaskedEvaluators(
            functions=RowFunctions(network, mesh, 64, Sampler(num_reveals=12)),
            dataset=data, round_rows=30, num_draws=2, num_exact=40, num_samples=0,
            num_interval_rows=9,
            cache=Path("/nonexistent"),
        )
    )  # fmt: skip
    params, rows = network.init(None), {}
    found = suite.full(params, data.train.tokens, jax.random.key(0), rows)
    assert suite.skipped_figures == []
    return found, rows, data


@pytest.mark.parametrize(
    "name", ["bits_per_char", "bits_per_char_exact", "hidden_bits_per_char",
             "valid_bits_per_char"],
)  # fmt: skip
def test_an_exact_denoiser_has_the_entropy_of_the_source(figures, name):
    found, _, _ = figures
    error = found[f"{name}_se"]
    assert 0 < error < 0.1
    assert found[name] == pytest.approx(ENTROPY, abs=4 * error)


def test_bits_are_nats_of_a_row_over_its_length_and_ln_2(figures):
    found, rows, _ = figures
    of_rows = rows["test_nll_nats"] / (12 * np.log(2))
    assert found["bits_per_char"] == pytest.approx(of_rows.mean())
    error = of_rows.std(ddof=1) / np.sqrt(len(of_rows))
    assert found["bits_per_char_se"] == pytest.approx(error)


def test_hidden_bits_count_hidden_characters_alone(figures):
    found, rows, data = figures
    nats = np.nansum(rows["test_imputation_nll_nats"])
    hidden = (~data.held_out.test_observed).sum()
    assert found["hidden_bits_per_char"] == pytest.approx(nats / hidden / np.log(2))


def test_figures_that_mean_nothing_for_text_are_left_out(figures):
    found, _, _ = figures
    assert 0.4 < found["test_imputation_accuracy"] < 0.6  # always `a`
    nothing = ("rmse", "mae", "coverage", "fid")
    assert not [name for name in found if any(word in name for word in nothing)]
