"""The exceptions that a user's mistake or a failed run raises."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. The message is one line: what is wrong and what to do about it.

    `launch.py` prints it on stderr and exits with code 2, without a traceback.
    """


def nearest(name: str, options: Iterable[str]) -> str:
    """`"; did you mean 'x'? (one of: ...)"` for an unknown name."""
    options = sorted(options)
    close = difflib.get_close_matches(name, options, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"{hint} One of: {', '.join(options)}"


class TrainingDiverged(UserError):
    """The loss of a step was not finite. Checkpoints before it stay as they are."""

    def __init__(self, round_: int, step: int):
        super().__init__(
            f"the loss is not finite at round {round_}, step {step}; earlier "
            "checkpoints stay as they are. Lower the learning rate or the weight of "
            "the consistency loss"
        )
