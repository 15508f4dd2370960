"""Trains the classifier behind the Frechet distance, once per data set and run."""

from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from ambient_jax.data.dataset import Labels
from ambient_jax.files import write_npz
from ambient_jax.inference.row_map import RowMap
from ambient_jax.networks.classifier import Classifier
from ambient_jax.types import Params

BATCH = 128
STEPS = 1500


@dataclass(frozen=True, kw_only=True)
class TrainedClassifier:
    """A classifier of complete rows."""

    params: Params
    outputs: RowMap

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Classes `[N]` and features `[N, F]` of complete rows."""
        logits, features = self.outputs(self.params, jax.random.key(0), x)
        return logits.argmax(axis=-1), features


def load_or_train(
    labels: Labels,
    shape: tuple[int, ...],
    num_values: int,
    mesh: Mesh,
    batch_size: int,
    path: Path,
) -> TrainedClassifier:
    """The classifier of `path`, or a newly trained one, then written there."""
    network = Classifier(
        shape=shape, num_values=num_values, num_classes=labels.num_classes
    )
    params = network.init(jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    if path.exists():
        with np.load(path) as archive:
            leaves = [jnp.asarray(archive[str(i)]) for i in range(len(leaves))]
        params = jax.tree.unflatten(tree, leaves)
    else:
        params = _train(network, params, labels.reference, labels.reference_labels)
        flat = jax.tree.leaves(params)
        write_npz(path, {str(i): np.asarray(leaf) for i, leaf in enumerate(flat)})
    outputs = RowMap(_outputs, mesh, batch_size, bound=(network,))
    return TrainedClassifier(params=params, outputs=outputs)


def _outputs(network, params, row_keys, x):
    return network.apply(params, x)


def _train(network: Classifier, params, x: np.ndarray, labels: np.ndarray):
    """`STEPS` steps of AdamW on random batches."""
    optimizer = optax.adamw(optax.cosine_decay_schedule(2e-3, STEPS))

    def loss(params, x, y):
        logits, _ = network.apply(params, x)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return losses.mean()

    @jax.jit
    def step(params, state, x, y):
        updates, state = optimizer.update(jax.grad(loss)(params, x, y), state, params)
        return optax.apply_updates(params, updates), state

    state, rng = optimizer.init(params), np.random.default_rng(0)
    for _ in range(STEPS):
        rows = rng.integers(len(x), size=BATCH)
        params, state = step(params, state, x[rows], labels[rows].astype(np.int32))
    return params
