"""What generated and completed rows look like to a classifier."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh

from ambient_jax.data.dataset import HeldOut, Labels
from ambient_jax.evaluation import estimate
from ambient_jax.evaluation.classifier import TrainedClassifier, load_or_train
from ambient_jax.evaluation.energy import energy_figures
from ambient_jax.evaluation.estimate import Figures
from ambient_jax.inference.row_functions import RowFunctions
from ambient_jax.types import Params, RootKey


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """`|mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))` of features `[N, F]`.

    References:
      Heusel et al. 2017 (arXiv 1706.08500), eq. 6; here in the features of a small
      classifier, so values compare only within one data set of this project.
    """
    difference = a.mean(axis=0) - b.mean(axis=0)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(cov_a)  # sqrtm fails on singular covariances
    root_a = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    inner = np.maximum(np.linalg.eigvalsh(root_a @ cov_b @ root_a), 0.0)
    spread = np.trace(cov_a + cov_b) - 2.0 * np.sqrt(inner).sum()
    return float(difference @ difference + spread)


def class_entropy(classes: np.ndarray, num_classes: int) -> float:
    """Entropy in nats of the shares of the classes; log C where all are alike."""
    share = np.bincount(classes, minlength=num_classes) / len(classes)
    share = share[share > 0]
    return float(-np.sum(share * np.log(share)))


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Compares rows with real ones by a small classifier; the same for every family.

    Attributes:
      test: `[M, L]` complete test rows.
      labels: of the test rows, and rows to train the classifier on.
      shape: of a row.
      num_values: V of rows of tokens; 2 for rows of grey levels in [0, 1].
      mesh, batch_size: of the classifier.
      cache: file for the trained classifier.
    """

    test: np.ndarray
    labels: Labels
    shape: tuple[int, ...]
    num_values: int
    mesh: Mesh
    batch_size: int
    cache: Path

    def samples(self, rows: np.ndarray) -> Figures:
        """`sample_fid` and `sample_class_entropy` of generated rows `[S, L]`.

        `data_fid` is the distance of as many real training rows: the floor that the
        finite numbers of rows leave. `classifier_accuracy` is on complete test rows:
        the ceiling of `imputed_classifier_accuracy`.
        """
        real_classes, real = self._classify(self.test)
        classes, features = self._classify(rows)
        _, floor = self._classify(self.labels.reference[: len(rows)])

        def fid(rows: np.ndarray) -> float:
            return frechet_distance(rows, real)

        def entropy(rows: np.ndarray) -> float:
            return class_entropy(rows, self.labels.num_classes)

        yield from estimate.bootstrap("sample_fid", fid, features)
        yield from estimate.bootstrap("sample_class_entropy", entropy, classes)
        yield from estimate.bootstrap("data_fid", fid, floor)
        right = real_classes == self.labels.test
        yield from estimate.mean("classifier_accuracy", right.astype(float))

    def completions(self, rows: np.ndarray) -> Figures:
        """`imputed_classifier_accuracy` of the first test rows, completed `[S, L]`."""
        right = self._classify(rows)[0] == self.labels.test[: len(rows)]
        yield from estimate.mean("imputed_classifier_accuracy", right.astype(float))

    @cached_property
    def _classify(self) -> TrainedClassifier:
        return load_or_train(
            self.labels, self.shape, self.num_values, self.mesh, self.batch_size,
            self.cache,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The figures of `Judge`, and the energy distance in grey levels in [0, 1].

    Attributes:
      judge: of the data set.
      num_samples: generated rows, at least 2.
    """

    functions: RowFunctions
    held_out: HeldOut
    judge: Judge
    num_samples: int

    @property
    def row_passes(self) -> int:
        """See `suite.Evaluator`; the classifier, a small network, is left out."""
        completed = min(self.num_samples, len(self.held_out.test))
        return (self.num_samples + completed) * self.functions.sampler.passes

    def __call__(self, params: Params, key: RootKey) -> Figures:
        generate, complete = jax.random.split(key)
        test, mask = self.held_out.test, self.held_out.mask
        z = np.full((self.num_samples, test.shape[1]), mask, np.int32)
        samples = self.functions.draw(params, generate, z)
        yield from self.judge.samples(samples)
        shown = self.held_out.shown[: self.num_samples]
        yield from self.judge.completions(self.functions.draw(params, complete, shown))
        yield from energy_figures(samples / (mask - 1), test / (mask - 1))
