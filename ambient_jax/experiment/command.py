"""The command line: `ambient-jax COMMAND --flag=value`, and `launch.py`, its equal."""

import logging
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from ambient_jax.errors import UserError
from ambient_jax.experiment import arguments, manual

FLAGS = flags.FLAGS
config_flags.DEFINE_config_file(
    "config",
    None,
    "NAME or PATH.py of a config, and after a colon the data: digits, mnist, mnist14, "
    "binarized_mnist, text, text:PATH or a file. --config.field=value changes a field.",
    lock_config=True,
)
flags.DEFINE_enum(
    "mode", "train", ["train", "sample", "impute", "evaluate"],
    "The command, where none is given before the flags.",
)  # fmt: skip
flags.DEFINE_string(
    "workdir", None, "Folder of the run; made if absent (train: runs/NAME_DATA)."
)
flags.DEFINE_string(
    "input", None, "An .npz with `x`, -1 (or NaN) in the holes; or a text with gaps."
)
flags.DEFINE_string(
    "output", None, "The .npz (of text: .txt, compare: .html) to write."
)
flags.DEFINE_string(
    "gap", None, "Marks a missing character of a text; else the run's own marker, or _."
)
flags.DEFINE_integer("num", 64, "Number of rows.", lower_bound=1)
flags.DEFINE_integer("num_draws", 1, "Completions per row.", lower_bound=1)
flags.DEFINE_enum(
    "statistic", "draws", ["draws", "mean"],
    "Posterior draws, or the posterior mean in one pass.",
)  # fmt: skip
flags.DEFINE_integer(
    "seed", 0, "Seed of the draws.", lower_bound=0, upper_bound=2**32 - 1
)
flags.DEFINE_boolean("overwrite", False, "Replace what is there.")
flags.DEFINE_list("compare", None, "Folders of finished runs, with a comma between.")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs what the arguments ask for.

    Args:
      argv: name of the program and its arguments; None: those of this process.

    Returns:
      The exit code, which is 2 for what cannot be used, with one line on stderr.
    """
    given = list(sys.argv if argv is None else argv)
    try:
        if (page := manual.page(given, FLAGS)) is not None:
            print(page)
            return 0
        sys.argv = arguments.expanded(given)  # where ml_collections looks for fields
        parse(sys.argv)
        from ambient_jax.experiment import modes  # JAX loads after --help and bad flags

        modes.run(FLAGS)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # outside of training, where nothing is to be saved
        return 130
    return 0


def parse(argv: list[str]) -> None:
    """Parses the flags; a mistake in them is a `UserError` of one line."""
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    try:
        rest = FLAGS(argv)
        if FLAGS["config"].present and not hasattr(FLAGS.config, "name"):
            kind = type(FLAGS.config).__name__  # an absent file fails when it is read
            raise ValueError(f"get_config must return a config with a name, not {kind}")
        if rest[1:]:
            raise ValueError(f"{' '.join(rest[1:])!r} is no flag")
        arguments.check_flags(FLAGS)
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
