"""The exceptions that unusable input or a failed run raises."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Input that cannot be used; one line says what is wrong and what to do about it.

    `launch.py` prints it on stderr and exits with code 2, without a traceback.
    """


class ArgumentError(UserError):
    """An argument of a function that cannot be used.

    Attributes:
      argument: name of the argument.
      reason: the message, in which `{argument}` stands for the name.
    """

    def __init__(self, argument: str, reason: str):
        self.argument = argument
        self.reason = reason
        super().__init__(self.message_for(argument))

    def message_for(self, name: str) -> str:
        """Returns the message for a user who knows the argument by another `name`."""
        return self.reason.replace("{argument}", name)


class OutputError(UserError):
    """A file that cannot be written."""


class UnfinishedRun(UserError):
    """A folder that holds no finished run."""


def nearest(name: str, options: Iterable[str]) -> str:
    """Returns the end of a message about an unknown name.

    It is `"; did you mean 'x'? One of: x, y"`, or `". One of: x, y"` if no option is
    similar.
    """
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
