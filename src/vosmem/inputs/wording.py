"""Counts and lists of names in messages."""

from collections.abc import Sequence

SHOWN = 3


def counted(number: int, noun: str) -> str:
    """A number with its noun in the singular or plural.

    Example:
        >>> counted(1, "mask"), counted(3, "mask")
        ('1 mask', '3 masks')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str]) -> str:
    """The first names, and the number of the others.

    Example:
        >>> listed(["a.png"]), listed(["a", "b", "c", "d", "e"])
        ('a.png', 'a, b, c and 2 more')
    """
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
