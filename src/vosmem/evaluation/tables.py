"""Tables as files that people and programs read."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd


def write_table(table: pd.DataFrame, path: Path, settings: Collection[str] = ()) -> list[Path]:
    """Write a table as CSV and, as `as_markdown` has it, beside it; returns both paths."""
    markdown = path.with_suffix(".md")
    table.to_csv(path, index=False)
    markdown.write_text(as_markdown(table, settings), encoding="utf-8")
    return [path, markdown]


def as_markdown(table: pd.DataFrame, settings: Collection[str] = ()) -> str:
    """A table in Markdown, numbers to three digits or two below one; what is missing is a dash.

    Args:
        table: the table.
        settings: columns of what was set rather than measured, whose numbers are given in full.

    Example:
        >>> print(as_markdown(pd.DataFrame({"memory": ["first"], "J": [81.43]})))
        | memory | J |
        |---|---|
        | first | 81.4 |
    """
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns)]
    rows = table.itertuples(index=False)
    lines += [[_cell(value, name in settings) for name, value in zip(table, row, strict=True)] for row in rows]
    text = ["|" + "|".join(line) + "|" if line[0] == "---" else "| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(text) + "\n"


def _cell(value: Any, in_full: bool) -> str:
    if pd.isna(value):
        return "-"
    if isinstance(value, float) and not in_full:
        small, large = abs(value) < 1, abs(value) >= 1000
        return f"{value:.2g}" if small else f"{value:.0f}" if large else f"{value:#.3g}".rstrip(".")
    return str(value)
