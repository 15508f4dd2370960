"""The figures of masked diffusion: likelihoods, imputation, samples, consistency."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ambient_jax.data.dataset import Dataset
from ambient_jax.evaluation.coverage import Coverage
from ambient_jax.evaluation.imputation import Imputation
from ambient_jax.evaluation.nll import ConsistencyGap, ExactNll, Nll
from ambient_jax.evaluation.samples import Judge, Samples
from ambient_jax.evaluation.suite import Evaluator
from ambient_jax.inference.row_functions import RowFunctions

VALID_FACTOR = 4
"""Validation rows of a cheap evaluation, in multiples of `round_rows`: the best
checkpoint is chosen by them, so that they must tell rounds apart."""


@dataclass(frozen=True, kw_only=True)
class MaskedEvaluators:
    """Chooses the evaluators that apply to a data set of tokens (`suite.Evaluators`).

    Attributes:
      functions: of the network.
      dataset: incomplete rows, and complete test rows where there are any.
      round_rows: rows of each cheap figure; `valid_nll_nats`, which chooses the best
        checkpoint, takes `VALID_FACTOR` times as many.
      num_draws: repeats of the noise levels in the final likelihoods.
      num_exact: test rows of the exact chain rule; 0 skips it.
      num_samples: generated rows for the Frechet distance; 0 skips it.
      num_interval_rows: test rows for the coverage of intervals; 0 skips it.
      cache: file for the trained classifier.
    """

    functions: RowFunctions
    dataset: Dataset
    round_rows: int
    num_draws: int
    num_exact: int
    num_samples: int
    num_interval_rows: int
    cache: Path

    @property
    def skipped_figures(self) -> list[str]:
        """One line per group of figures that the data do not allow, with the reason."""
        held_out, lines = self.dataset.held_out, []
        if held_out is None:
            lines.append("test_*: there are no test rows (x_test)")
        elif not held_out.complete:
            lines.append(
                "test_nll_*, test_imputation_*: the test rows have holes, so the truth "
                "behind them is not known; give a complete x_test"
            )
        why = self._why_no_samples
        if why and not self._is_text:  # there is no such distance of texts
            lines.append(
                "sample_fid, sample_class_entropy, imputed_classifier_accuracy: they "
                f"need {why}"
            )
        return lines

    @property
    def _is_text(self) -> bool:
        return self.dataset.alphabet is not None

    def _bits(self, name: str) -> str | None:
        """The name of a figure of text; None for other data."""
        return name if self._is_text else None

    @property
    def _why_no_samples(self) -> str | None:
        """Why samples and completions cannot be classified; None if they can."""
        held_out = self.dataset.held_out
        if held_out is None or held_out.labels is None or not held_out.complete:
            return "labels and complete training rows to train a classifier on"
        if self.num_samples < 2:
            return f"two samples or more, not num_samples={self.num_samples}"
        rows = min(len(held_out.test), len(held_out.labels.reference))
        return None if rows > 1 else "two test rows and two training rows"

    def cheap(self, completions: np.ndarray) -> list[Evaluator]:
        """Returns the evaluators of a point of a curve; none of them samples."""
        return self._likelihoods(slice(self.round_rows), completions, num_draws=1)

    def full(
        self, completions: np.ndarray, nats_per_row: dict[str, np.ndarray] | None
    ) -> list[Evaluator]:
        """Returns the evaluators of every figure that applies, on all rows."""
        evaluators = self._likelihoods(
            slice(None), completions, self.num_draws, nats_per_row
        )
        held_out = self.dataset.held_out
        if held_out is not None and held_out.complete:
            evaluators.append(
                Nll(
                    functions=self.functions, name="test_imputation_nll_nats",
                    x=held_out.test, scored=~held_out.test_observed,
                    num_draws=self.num_draws, nats_per_row=nats_per_row,
                    bits=self._bits("hidden_bits_per_char"),
                )
            )  # fmt: skip
            if self.num_exact:
                evaluators.append(
                    ExactNll(
                        functions=self.functions.for_few(self.num_exact),
                        name="test_nll_exact_nats",
                        x=held_out.test[: self.num_exact],
                        bits=self._bits("bits_per_char_exact"),
                    )
                )
        if self._samples is not None:
            evaluators.append(self._samples)
        if self._coverage is not None:
            evaluators.append(self._coverage)
        return evaluators

    def _likelihoods(
        self, rows: slice, completions: np.ndarray, num_draws: int,
        nats_per_row: dict[str, np.ndarray] | None = None,
    ) -> list[Evaluator]:  # fmt: skip
        functions, held_out = self.functions, self.dataset.held_out
        valid, few = self.dataset.valid, slice(rows.stop and VALID_FACTOR * rows.stop)
        found: list[Evaluator] = [
            Nll(
                functions=functions, name="valid_nll_nats", x=valid.tokens[few],
                scored=valid.observed[few], num_draws=max(num_draws, 2),
                bits=self._bits("valid_bits_per_char"),
            )
        ]  # fmt: skip
        gap_rows = valid.tokens
        if held_out is not None and held_out.complete:
            gap_rows, test = held_out.test, held_out.test[rows]
            found.append(
                Nll(
                    functions=functions, name="test_nll_nats", x=test,
                    scored=np.ones(test.shape, bool), num_draws=num_draws,
                    by_t="test_nll_by_t", nats_per_row=nats_per_row,
                    bits=self._bits("bits_per_char"),
                )
            )  # fmt: skip
            found.append(
                Imputation(
                    functions=functions, held_out=held_out, ordered=not self._is_text
                )
            )  # fmt: skip
        found.append(ConsistencyGap(functions=functions, x=gap_rows[rows][:1000]))
        if (completions < self.dataset.train.mask).all():
            own = completions[: min(self.round_rows, 1000)]
            found.append(
                Nll(
                    functions=functions, name="completion_nll_nats", x=own,
                    scored=np.ones(own.shape, bool), num_draws=num_draws,
                )
            )  # fmt: skip
        return found

    @cached_property
    def _samples(self) -> Samples | None:
        """The evaluator of samples and completions; None where it does not apply."""
        held_out = self.dataset.held_out
        if self._why_no_samples or held_out is None or held_out.labels is None:
            return None
        judge = Judge(
            test=held_out.test, labels=held_out.labels, num_values=held_out.mask,
            shape=self.dataset.train.shape, mesh=self.functions.mesh,
            batch_size=self.functions.batch_size, cache=self.cache,
        )  # fmt: skip
        return Samples(
            functions=self.functions,
            held_out=held_out,
            judge=judge,
            num_samples=self.num_samples,
        )

    @property
    def _coverage(self) -> Coverage | None:
        """The evaluator of intervals, which two values and characters do not have.

        None: there are none, or no rows.
        """
        held_out, rows = self.dataset.held_out, slice(self.num_interval_rows)
        if held_out is None or not held_out.complete or held_out.mask <= 2:
            return None
        if self._is_text:
            return None
        hidden = ~held_out.test_observed[rows]
        if not hidden.any():
            return None
        return Coverage(
            draw=self.functions.numbered_draw, passes=self.functions.sampler.passes,
            truth=held_out.test[rows], shown=held_out.shown[rows], hidden=hidden,
        )  # fmt: skip
