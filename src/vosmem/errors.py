"""The exception for a user's mistake (any other exception is a bug), and warnings to the user."""

import sys
from multiprocessing import parent_process


class InputError(ValueError):
    """An input cannot be used.

    The message is one line that names the bad value and how to fix it. The command line prints it without a stack
    trace, and exits with status 2.
    """


def warn(message: str) -> None:
    """Print a one-line warning on stderr, except in a worker process, whose parent reads the same data."""
    if parent_process() is None:
        print(f"vosmem: warning: {message}", file=sys.stderr)
