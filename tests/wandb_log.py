"""Reads what an offline W&B run wrote: a LevelDB log of protobuf records."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

HEADER, BLOCK, RECORD_HEADER = 7, 32768, 7
FULL, LAST = 1, 4


def records(path: Path) -> Iterator[Record]:
    """The records of a `run-ID.wandb` file."""
    content, at, parts = path.read_bytes(), HEADER, b""
    while at + RECORD_HEADER <= len(content):
        if BLOCK - at % BLOCK < RECORD_HEADER:  # the rest of a block that is too short for a header is padding
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + RECORD_HEADER])
        parts += content[at + RECORD_HEADER : at + RECORD_HEADER + length]
        at += RECORD_HEADER + length
        if kind in (FULL, LAST):
            yield Record.FromString(parts)
            parts = b""


def history(path: Path) -> list[dict[str, Any]]:
    """The logged steps; what is not a number (media, tables) is a dict of its own."""
    rows = []
    for record in records(path):
        if record.WhichOneof("record_type") == "history":
            row: dict[str, Any] = {}
            for item in record.history.item:
                key, *inner = item.nested_key or [item.key]
                value = json.loads(item.value_json)
                if inner:
                    row.setdefault(key, {})[inner[0]] = value
                else:
                    row[key] = value
            rows.append(row)
    return rows


def run_record(path: Path) -> Any:
    """What is known of the run itself: group, name, project, configuration."""
    return next(record.run for record in records(path) if record.WhichOneof("record_type") == "run")
