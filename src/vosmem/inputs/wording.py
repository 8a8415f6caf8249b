"""Numbers and names of things, as messages say them."""

from collections.abc import Sequence

SHOWN = 3


def counted(number: int, thing: str) -> str:
    """One thing, or several.

    Example:
        >>> counted(1, "mask"), counted(3, "mask")
        ('1 mask', '3 masks')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def listed(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are.

    Example:
        >>> listed(["a.png"]), listed(["a", "b", "c", "d", "e"])
        ('a.png', 'a, b, c and 2 more')
    """
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
