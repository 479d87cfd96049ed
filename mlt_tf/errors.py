"""The error that every bad input ends in."""


class InputError(ValueError):
    """Bad input from the user: its one-line message says what, where and what to do.

    Binaries print the message and exit with 1; everything else is a bug and keeps its traceback.
    """


class MissingError(InputError):
    """What was asked for is not there at all, as against there but damaged."""
