"""What generated and completed rows look like to a classifier."""

from dataclasses import dataclass

import numpy as np

from ambient_jax.evaluation import estimate
from ambient_jax.evaluation.classifier import TrainedClassifier
from ambient_jax.evaluation.estimate import Figures


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
class Samples:
    """`sample_fid` and `sample_class_entropy` of generated rows.

    `data_fid` is the same distance for as many real training rows: the floor that the
    finite numbers of rows leave.
    """

    classify: TrainedClassifier
    test: np.ndarray
    reference: np.ndarray
    num_classes: int

    def __call__(self, samples: np.ndarray) -> Figures:
        _, real = self.classify(self.test)
        classes, features = self.classify(samples)
        _, floor = self.classify(self.reference[: len(samples)])

        def fid(rows):
            return frechet_distance(rows, real)

        def entropy(rows):
            return class_entropy(rows, self.num_classes)

        yield from estimate.bootstrap("sample_fid", fid, features)
        yield from estimate.bootstrap("sample_class_entropy", entropy, classes)
        yield "data_fid", fid(floor)
        yield "classifier_accuracy", self.classify.accuracy


def imputed_accuracy(
    classify: TrainedClassifier, completed: np.ndarray, labels: np.ndarray
) -> Figures:
    """`imputed_classifier_accuracy`: classes of test rows after one completion."""
    classes, _ = classify(completed)
    right = (classes == labels).astype(float)
    yield from estimate.mean("imputed_classifier_accuracy", right)
