"""Runs on text: training, text files in and out, the page, and what is refused."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from ambient_jax.data.alphabet import alphabet_of
from ambient_jax.errors import UserError
from ambient_jax.experiment import build, text_modes
from ambient_jax.experiment.text_model import SEPARATOR, TextModel
from ambient_jax.model import Model
from ambient_jax.networks.text_transformer import TextTransformer
from configs import baseline, em_consistency, em_only, few_complete, oracle, text8
from tests.experiment.test_launch import ROOT, launch

TINY = (
    "--config.network.width=16", "--config.network.depth=1",
    "--config.network.num_heads=2", "--config.data.length=8",
    "--config.data.alphabet=own", "--config.train.rounds=2",
    "--config.train.steps_per_round=3", "--config.train.batch_size=8",
    "--config.train.estep_batch_size=8", "--config.em.start=0.0",
    "--config.em.reveals=2", "--config.em.initial_reveals=2",
    "--config.em.row_share=1.0", "--config.sampler.reveals=2",
    "--config.eval.every_rounds=2", "--config.eval.round_rows=8",
    "--config.eval.num_exact=4",
)  # fmt: skip
TEXT = "<b>&amp; a line</b>\nand an_other\n" * 20


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny run with EM on a file, in the folder that a run gets."""
    folder = tmp_path_factory.mktemp("here")
    (folder / "tiny.txt").write_text(TEXT)
    config = f"--config={ROOT}/configs/em_only.py:text:tiny.txt"
    code, out, err = launch(config, *TINY, cwd=folder)
    assert code == 0, err
    assert "left out" not in out
    (folder / "tiny.txt").unlink()  # the modes below need no data
    return folder / "runs" / "em_only_tiny"


def test_a_run_has_the_figures_of_text(finished):
    summary = json.loads((finished / "summary.json").read_text())
    for name in ("bits_per_char", "bits_per_char_exact", "hidden_bits_per_char",
                 "valid_bits_per_char", "test_imputation_accuracy"):  # fmt: skip
        assert f"{name}_se" in summary, name
    assert not [n for n in summary if "rmse" in n or "fid" in n]
    assert summary["data"]["alphabet"]["symbols"] == "".join(sorted(set(TEXT)))
    assert summary["bits_per_char"] == pytest.approx(
        summary["test_nll_nats"] / 8 / np.log(2)
    )


def test_the_page_shows_text_and_no_tag_of_it(finished):
    page = (finished / "report.html").read_text()
    assert '<table class="text" id="test">' in page
    rows = page[page.index('id="test"') : page.index("<h2>Curves")]
    tags = set(re.findall(r"<(/?\w+)", rows))
    assert "b" not in tags
    assert "mark" in tags
    assert "⏎" in rows
    assert "&lt;" in rows
    observed = re.findall(r"observed</td><td>(.*?)</td>", rows)
    with np.load(finished / "pictures.npz") as pictures:
        shown = pictures["test_observed"]
    hidden = int((shown[:10] == int(shown.max())).sum())
    in_tests = sum(row.count("·") for row in observed[: len(shown[:10])])
    assert in_tests == hidden > 0


def test_samples_are_written_as_text(finished, tmp_path):
    target = tmp_path / "new.txt"
    code, _, err = launch(
        "--mode=sample", f"--workdir={finished}", f"--output={target}", "--num=3"
    )
    assert code == 0, err
    rows = target.read_text()[:-1].split(SEPARATOR)
    assert [len(row) for row in rows] == [8, 8, 8]
    assert set("".join(rows)) <= set(TEXT)


def test_a_text_with_gaps_is_completed(finished, tmp_path):
    gaps, full = tmp_path / "gaps.txt", tmp_path / "full.txt"
    text = "<b>~amp; ~~line</b>\nand~"
    gaps.write_text(text)
    code, out, err = launch(
        "--mode=impute", f"--workdir={finished}", f"--input={gaps}",
        f"--output={full}", "--gap=~", "--num_draws=2",
    )  # fmt: skip
    assert code == 0, err
    assert out.startswith("4 characters drawn")
    assert not full.exists()
    for number in (1, 2):
        drawn = (tmp_path / f"full.{number}.txt").read_text()
        assert len(drawn) == len(text)
        for before, after in zip(text, drawn, strict=True):
            assert after == before if before != "~" else after in TEXT


FLAGS = {
    "mode": "impute", "input": None, "output": None, "gap": None, "num_draws": 1,
    "statistic": "draws", "num": 1, "seed": 0, "overwrite": False,
}  # fmt: skip
REFUSED_MODES = (
    ({"input": "gaps.txt", "output": "o.txt"}, "give one, --gap=CHARACTER"),
    ({"input": "gaps.txt", "output": "o.txt", "gap": "ab"}, "by one character"),
    ({"input": "gaps.txt", "output": "o.txt", "gap": "~"}, "'Z' at place 3 is none"),
    ({"input": "a.txt", "output": "o.txt", "gap": "~"}, "no character is missing"),
    ({"input": "no.txt", "output": "o.txt", "gap": "~"}, "no.txt cannot be read"),
    ({"input": ".", "output": "o.txt", "gap": "~"}, "is a folder"),
    ({"input": "a.txt", "output": "o.csv", "gap": "~"}, "must end in .txt"),
    ({"input": "a.txt", "gap": "~"}, "no --output"),
    ({"input": "a.txt", "output": "o.txt", "statistic": "mean"}, "have no mean"),
    ({"mode": "sample", "output": "a.txt"}, "a.txt exists"),
)


@pytest.mark.parametrize(("given", "message"), REFUSED_MODES)
def test_modes_refuse_before_the_model_is_loaded(tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gaps.txt").write_text("~~Z")
    (tmp_path / "a.txt").write_text("a")
    flags = SimpleNamespace(**{**FLAGS, **given})
    mode = {"sample": text_modes.sample, "impute": text_modes.impute}[flags.mode]
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        mode(flags, alphabet_of("a_", "own"), lambda: pytest.fail("it was loaded"))
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "gaps.txt"]


REFUSED_FIELDS = (
    ("text:a.txt", {}, "config.data.length=64: the text has 1 characters"),
    ("text:none.txt", {}, "none.txt cannot be read"),
    ("text", {"data.side": 8}, "config.data.side applies to pictures"),
    ("text", {"data.dir": "x"}, "config.data.dir applies to pictures"),
    ("text", {"data.gap": "ab"}, "config.data.gap='ab': a gap is marked by one"),
    ("text", {"data.alphabet": "own8"}, "config.data.alphabet='own8' is unknown"),
    ("digits", {"data.gap": "_"}, "config.data.gap applies to text"),
)


@pytest.mark.parametrize(("data", "fields", "message"), REFUSED_FIELDS)
def test_fields_that_do_not_fit_are_named(tmp_path, monkeypatch, data, fields, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a")
    config = baseline.get_config(data)
    config.update_from_flattened_dict(fields)
    with pytest.raises(UserError, match=re.escape(message)):
        build.dataset(config)


def test_a_text_that_is_not_utf8_ends_in_one_line_and_writes_nothing(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"f\xfcr")
    config = f"--config={ROOT}/configs/baseline.py:text:latin.txt"
    code, out, err = launch(config, cwd=tmp_path)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "latin.txt is not UTF-8: byte 0xfc at offset 1" in err
    assert [path.name for path in tmp_path.iterdir()] == ["latin.txt"]


def test_text_gets_its_network_and_no_prior():
    for file in (em_only, em_consistency, oracle, few_complete, text8):
        config = file.get_config("text")
        network = build.denoiser(config, (8,), 27)
        assert isinstance(network, TextTransformer)
        assert build.settings(config).prior is None
    assert em_only.get_config("digits").prior.name == "latent"


class Counting(Model):
    """Fills the gaps of a call with the call's number; keeps its rows in `params`."""

    def impute(self, rows, *, num_draws=1, seed=0):
        self.params.append(rows.copy())
        return np.stack([np.where(rows < 0, len(self.params), rows)] * num_draws)


def counting():
    network = TextTransformer(length=4, num_values=5, width=4, num_heads=2)
    return Counting(denoiser=network, params=[], shape=(4,))


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 11])
def test_windows_cover_a_text_of_any_length(n):
    alphabet = alphabet_of("0123a", "own", gap="_")
    text = "".join("_a"[i % 2] for i in range(n))
    model = counting()
    (full,) = TextModel(model=model, alphabet=alphabet).complete(text, 1, 0)
    assert len(full) == n
    assert full[1::2] == "a" * (n // 2)
    # What the first call drew is shown to the last window, and is kept.
    rest = n % 4 if n > 4 else 0
    assert set(full[: n - rest : 2]) == {"1"}
    assert set(full[n - rest :]) <= {"a", "2"}
    for window in model.params[-1:] if rest else []:
        assert window.shape == (1, 4)
        assert (window[0, : 4 - rest] >= 0).all()


def test_case_and_punctuation_come_back_though_the_alphabet_folds_them():
    alphabet = alphabet_of("", "text8", gap="_")
    text = "Größe: 4_ €!!  _nd ÄÖ\r\n__."
    model = TextModel(model=counting(), alphabet=alphabet)
    full = model.complete(text, 2, 0)
    for drawn in full:
        kept = [(a, b) for a, b in zip(text, drawn, strict=True) if a != "_"]
        assert all(a == b for a, b in kept)
        assert "_" not in drawn


def test_bytes_that_are_no_character_do_not_touch_their_neighbours():
    alphabet = alphabet_of("", "bytes", gap="_")
    text = "é_é__ü"
    model = TextModel(model=counting(), alphabet=alphabet)
    assert model.complete(text, 1, 0) == ["é\x01é\x01\x01ü"]
    values = np.array([0xC3, 0xA9, 0xFF])  # of one run: é; alone: no character
    assert model._filled("é__é_", values) == "ééé\ufffd"
