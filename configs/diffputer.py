"""DiffPuter for a table: `--config=configs/diffputer.py:data.csv` (or `.parquet`).

How: EM with Gaussian diffusion (Zhang et al. 2025, arXiv 2405.20690; docs/gaussian.md).
Cost: 700 rows of ten columns took one to two minutes with 6 iterations (a shared core).
Command: python launch.py --config=configs/diffputer.py:data.csv --workdir=out
It writes into `out` what `configs/table.py` does.
"""

import dataclasses

from ml_collections import ConfigDict

from ambient_jax.configs import table
from ambient_jax.tabular.gaussian.recipe import DiffPuterRecipe


def get_config(source: str = "") -> ConfigDict:
    """The settings of `DiffPuterImputer` for the file `source`."""
    config = ConfigDict()
    config.name = "diffputer"
    config.seed = 0  # root of all randomness
    config.table = table.file_fields(source)
    config.diffputer = c = ConfigDict()
    c.corrected = False  # draws in place of means, one network in place of new ones
    c.recipe = ConfigDict(dataclasses.asdict(DiffPuterRecipe()))  # sizes; see there
    return config
