"""The one exception for a user's mistake (anything else is a defect of the program), and warnings to the user."""

import sys
from multiprocessing import parent_process


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line that names the thing and the mend. The command line prints it alone, without a stack
    trace, and exits with status 2.
    """


def warn(message: str) -> None:
    """Print a warning on the standard error stream. A worker process prints none: its parent read the same data.

    Args:
        message: one line: what is not as a user may expect, and how to change that.
    """
    if parent_process() is None:
        print(f"vosmem: warning: {message}", file=sys.stderr)
