"""How commands print."""

from rich.console import Console


def plain_console() -> Console:
    """A console that prints what it is given: `[x]` is part of a name and no style, and a path stays on its line."""
    return Console(soft_wrap=True, highlight=False, markup=False)
