"""Train, sample, impute and evaluate from the command line. See README.md.

python launch.py --config=configs/em_consistency.py:digits --workdir=/tmp/run
"""

import logging
import sys
import traceback
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from ambient_jax.errors import UserError

FLAGS = flags.FLAGS
config_flags.DEFINE_config_file(
    "config",
    None,
    "Config file, and after a colon the data: configs/NAME.py[:digits|mnist|"
    "mnist14|binarized_mnist|PATH.npz], or configs/table.py:PATH.csv|.parquet (or "
    "configs/diffputer.py). "
    "--config.field=value changes one field; the config file says what each means.",
    lock_config=True,
)
flags.DEFINE_enum(
    "mode", "train", ["train", "sample", "impute", "evaluate"],
    "train (or go on with a run that was stopped); or use the model in --workdir.",
)  # fmt: skip
flags.DEFINE_string(
    "workdir", None, "Folder of the run; made if absent (train: runs/NAME_DATA)."
)
flags.DEFINE_string("input", None, "impute: an .npz with `x`, -1 in the holes.")
flags.DEFINE_string("output", None, "sample, impute: the .npz to write.")
flags.DEFINE_integer("num", 64, "sample: number of rows.", lower_bound=1)
flags.DEFINE_integer("num_draws", 1, "impute: completions per row.", lower_bound=1)
flags.DEFINE_enum(
    "statistic", "draws", ["draws", "mean"],
    "impute: posterior draws, or the posterior mean in one pass.",
)  # fmt: skip
flags.DEFINE_integer(
    "seed", 0, "sample, impute: seed of the draws.",
    lower_bound=0, upper_bound=2**32 - 1,
)  # fmt: skip
flags.DEFINE_boolean(
    "overwrite", False, "sample, impute, tables: replace what is there."
)
flags.DEFINE_list(
    "compare", None, "Folders of finished runs, to put beside each other in --output."
)


def parse(argv: list[str]) -> list[str]:
    """Parses the flags; a mistake in them is a `UserError` of one line."""
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    try:
        rest = FLAGS(argv)
        if FLAGS["config"].present and not hasattr(FLAGS.config, "name"):
            kind = type(FLAGS.config).__name__  # an absent file fails when it is read
            raise ValueError(f"get_config must return a config with a name, not {kind}")
        if rest[1:]:
            raise ValueError(f"{' '.join(rest[1:])!r} is no flag")
        return rest
    except UserError:
        raise
    except Exception as error:  # a config file is code, which may raise anything
        text = error.args[0] if error.args else error
        if isinstance(text, KeyError):
            text = f"the config has no field {text.args[0]}"
        line = " ".join(str(text).replace("\\'", "'").split())
        raise UserError(f"{_in_config(error)}{line} (see --help)") from error


def _in_config(error: Exception) -> str:
    """Where a config file went wrong, as a prefix; nothing for wrong flags."""
    if isinstance(error, SyntaxError) and Path(error.filename or "").is_file():
        return f"{error.filename}:{error.lineno}: "
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.name in ("get_config", "<module>") and frame.filename != __file__:
            return f"{frame.filename}:{frame.lineno}: {type(error).__name__}: "
    return ""


def main(argv: list[str]) -> None:
    from ambient_jax.experiment import modes  # JAX loads after --help and bad flags

    modes.run(FLAGS)


if __name__ == "__main__":
    try:
        app.run(main, flags_parser=parse)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:  # outside of training, where nothing is to be saved
        sys.exit(130)
