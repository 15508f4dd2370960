"""The one exception that a user's mistake raises."""


class UserError(Exception):
    """Bad input. The message is one line: what is wrong and what to do about it.

    `launch.py` prints it on stderr and exits with code 2, without a traceback.
    """
