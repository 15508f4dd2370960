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
    config.table = c = file_fields(source)
    c.statistic = "auto"  # imputed: auto (by column), mean, median, mode, joint
    c.delta = ""  # shifts of imputed numbers, e.g. "income=-500,age=2"
    c.max_epochs = placeholder(int)  # passes over the rows at most; unset: by size
    c.max_time = placeholder(float)  # seconds of training at most; unset: none
    return config


def file_fields(source: str) -> ConfigDict:
    """The fields of every config that completes a file."""
    c = ConfigDict()
    c.source = source  # CSV or Parquet file with holes
    c.num_draws = 5  # completions drawn from the joint posterior; 0: none
    # Names of columns, with a comma between; in double quotes if they hold a comma.
    c.categorical = ""  # columns whose numbers or dates are codes
    c.numeric = ""  # columns that are numbers, although they were taken for codes
    c.identifiers = ""  # columns that are copied and not learned from
    # What a CSV is like. What is unset or empty is found in the file and reported.
    c.missing_markers = placeholder(str)  # all texts that mean missing: "?,na,-999"
    c.separator = ""  # between cells: "," ";" "|" or "tab"
    c.decimal = ""  # decimal sign of numbers: "." or ","
    c.encoding = ""  # utf-8, utf-16, latin-1, cp1252, ...; empty: utf-8, or its BOM's
    c.comment = ""  # lines that begin with this are not read, e.g. "#"
    c.header = True  # False: the first line holds no names; they are column_1, ...
    return c
