"""The one exception that stands for a user's mistake rather than for a defect of the program."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that names the thing and the mend. The command line prints it alone, without a stack
    trace, and exits with status 2.
    """
