"""Counts and lists of names in messages."""

from collections.abc import Sequence


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun, such as `1 mask` or `3 masks`; the plural adds an s unless it is given."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], shown: int = 3) -> str:
    """The first names and the number of the others, such as `a, b, c and 2 more`."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
