"""The builder. It must live in a package folder of its own name, as TFDS asks."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from ambient_jax.data.ambient_mnist import download
from ambient_jax.data.pictures import IDX_FILES, read_idx


class AmbientMnist(tfds.core.GeneratorBasedBuilder):
    """MNIST (LeCun et al. 1998), 28x28 uint8, 60,000 + 10,000 pictures."""

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
            name: f"{download.MIRROR}{prefix}-{kind}.gz"
            for name, prefix, kind in IDX_FILES
        }
        found: Any = dl_manager.download(urls)
        paths = {name: Path(path) for name, path in found.items()}
        return {
            part: self._generate_examples(paths[part], paths[f"{part}_labels"])
            for part in ("train", "test")
        }

    def _generate_examples(self, images, labels):
        pairs = zip(read_idx(images), read_idx(labels), strict=True)
        for number, (image, label) in enumerate(pairs):
            yield number, {"image": image, "label": int(label)}
