"""Tables as CSV and Markdown."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd


def write_table(table: pd.DataFrame, path: Path, settings: Collection[str] = ()) -> list[Path]:
    """Write a table as CSV, and as Markdown next to it; return both paths."""
    markdown = path.with_suffix(".md")
    table.to_csv(path, index=False)
    markdown.write_text(as_markdown(table, settings), encoding="utf-8")
    return [path, markdown]


def as_markdown(table: pd.DataFrame, settings: Collection[str] = ()) -> str:
    """A table in Markdown: numbers with three digits, or two below one; missing values are dashes.

    Numbers in the columns `settings` are not rounded.

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
