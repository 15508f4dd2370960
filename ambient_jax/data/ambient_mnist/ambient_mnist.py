"""The TFDS builder. TFDS requires a module and a folder of the builder's name."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from ambient_jax.data import idx


class AmbientMnist(tfds.core.GeneratorBasedBuilder):
    """MNIST (LeCun et al. 1998): 60,000 + 10,000 pictures, 28x28 uint8."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(shape=(28, 28), dtype=np.uint8),
                    "label": tfds.features.Scalar(dtype=np.int64),
                }
            ),
            homepage="https://github.com/cvdfoundation/mnist",
        )

    def _split_generators(self, dl_manager):
        urls = {
            name: f"{idx.MIRROR}{prefix}-{kind}.gz"
            for name, prefix, kind in idx.IDX_FILES
        }
        found: Any = dl_manager.download(urls)
        paths = {name: Path(path) for name, path in found.items()}
        return {
            split: self._generate_examples(paths[split], paths[f"{split}_labels"])
            for split in ("train", "test")
        }

    def _generate_examples(self, images, labels):
        pairs = zip(idx.read_idx(images), idx.read_idx(labels), strict=True)
        for index, (image, label) in enumerate(pairs):
            yield index, {"image": image, "label": int(label)}
