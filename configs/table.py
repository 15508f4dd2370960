"""A table with holes: `--config=configs/table.py:data.csv` (or `.parquet`).

Command: python launch.py --config=configs/table.py:data.csv --workdir=out
It writes into `out`: `completed.csv` (`.parquet`), `draws/`, `model/`, `report.html`.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config(source: str = "") -> ConfigDict:
    """The settings of `AmbientImputer` for the file `source`."""
    config = ConfigDict()
    config.name = "table"
    config.seed = 0  # root of all randomness
    config.table = c = ConfigDict()
    c.source = source  # CSV or Parquet file with holes
    c.statistic = "auto"  # of the completed file: auto, mean, median, mode, joint
    c.num_draws = 5  # completions drawn from the joint posterior; 0: none
    c.categorical = ""  # columns whose numbers or dates are codes, comma between
    c.identifiers = ""  # names of columns that are copied and not learned from
    c.delta = ""  # shifts of imputed numbers, e.g. "income=-500,age=2"
    c.max_epochs = placeholder(int)  # passes over the rows at most; unset: by size
    c.max_time = placeholder(float)  # seconds of training at most; unset: none
    return config
