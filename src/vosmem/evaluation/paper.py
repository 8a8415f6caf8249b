"""The paper's tables next to the scores of this project."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from vosmem.errors import InputError
from vosmem.evaluation.tables import as_markdown

NOT_RUN = "not run"


def paper_tables(ours: Path | None = None) -> str:
    """Tables 1 to 5 of the paper in Markdown, with the rows of a file of own scores after those of the paper.

    Args:
        ours: YAML: name of a table (`table1` ...), then name of a row, then a value for each known column.

    Raises:
        InputError: the file is missing or has another structure, or names an unknown table or column.

    Source:
        STM, Tables 1 to 5.
    """
    tables: Mapping[str, Any] = json.loads(
        (files("vosmem.evaluation") / "paper_tables.json").read_text(encoding="utf-8")
    )
    own = {} if ours is None else _read(ours, tables)
    return "\n".join(_table(name, table, own.get(name)) for name, table in tables.items())


def _table(name: str, table: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]] | None) -> str:
    columns = table["columns"]
    rows = [*table["rows"]]
    rows += [[f"**{label}**", *(values.get(column) for column in columns)] for label, values in (own or {}).items()]
    if not own:
        rows.append(["**vosmem**", *[NOT_RUN] * len(columns)])
    title = f"## Table {name.removeprefix('table')}: {table['title']}\n\n"
    note = f"\n{table['note']}\n" if table["note"] else ""
    return title + as_markdown(pd.DataFrame(rows, columns=["as the paper gives it", *columns], dtype=object)) + note


def _read(path: Path, tables: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"scores {str(path)!r} cannot be read as YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise InputError(f"scores {str(path)!r} hold no tables: write `table2: {{ROW: {{J: 80.1, F: 81.0}}}}`")
    for name, rows in content.items():
        if name not in tables:
            raise InputError(f"scores {str(path)!r}: there is no {name!r}; use {', '.join(tables)}")
        for label, values in rows.items() if isinstance(rows, dict) else [(rows, None)]:
            if not isinstance(values, dict):
                raise InputError(f"scores {str(path)!r}: {name} needs a row's name, then its columns, not {label!r}")
            unknown = [column for column in values if column not in tables[name]["columns"]]
            if unknown:
                columns = ", ".join(tables[name]["columns"])
                raise InputError(f"scores {str(path)!r}: {name} has no column {unknown[0]!r}; use {columns}")
            odd = [value for value in values.values() if isinstance(value, (list, dict))]
            if odd:
                raise InputError(f"scores {str(path)!r}: {name}, {label!r} has {odd[0]!r} for a value: use one number")
    return content
