"""The console of the commands."""

from rich.console import Console


def plain_console() -> Console:
    """A console that prints text unchanged: `[x]` is not a style, and long paths are not wrapped."""
    return Console(soft_wrap=True, highlight=False, markup=False)
