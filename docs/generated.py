"""A hook of mkdocs that inserts the help of each command, the configuration groups and the table of weights.

It replaces `<!-- generated: help segment -->`, `<!-- generated: groups -->` and `<!-- generated: zoo -->` in a page.
"""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path

from vosmem.checkpoints.cards import cards

CONF = Path(__file__).resolve().parent.parent / "conf"
MARK = re.compile(r"<!-- generated: (help (?P<command>[\w ]+)|groups|zoo) -->")


def on_page_markdown(markdown: str, **_) -> str:
    """Replace the marks of a page; help texts are collected several at a time, since each starts a process."""
    marks = list(MARK.finditer(markdown))
    with ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(_text, marks))
    for mark, text in zip(marks, texts, strict=True):
        markdown = markdown.replace(mark[0], text, 1)
    return markdown


def _text(mark: re.Match[str]) -> str:
    if mark["command"]:
        return _help(mark["command"])
    return groups() if mark[1] == "groups" else zoo()


def _help(command: str) -> str:
    words = [sys.executable, "-m", "vosmem.cli", *command.split(), "--help"]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return f"```text\n{text.split('== Configuration groups ==')[0].rstrip()}\n```"


def zoo() -> str:
    """A table of all weights, and one of their scores, from the model cards."""
    known = cards()
    rows = [
        f"| `{card.name}` | {card.network} | {card.parameters} M | {card.megabytes} MB | {card.speed} | "
        f"{card.licence} | {', '.join(card.data)} | `{card.use}` |"
        for card in known
    ]
    scores = [
        f"| `{card.name}` | {score.data} | {score.protocol} | {score.j_and_f} | "
        f"{f'`{score.source}`' if score.source.startswith('vosmem ') else score.source} |"
        for card in known
        for score in card.scores
    ]
    return "\n".join([
        "| weights | network | parameters | size | speed | licence | training data | use |",
        "|---|---|---|---|---|---|---|---|",
        *rows, "", "| weights | data | the network sees | J&F | measured by |", "|---|---|---|---|---|", *scores,
    ])  # fmt: skip


def groups() -> str:
    """A table for each configuration group: its choices, each with the comment at the top of its file."""
    tables = []
    for folder in sorted(path for path in CONF.iterdir() if path.is_dir() and not path.name.startswith("_")):
        rows = [f"| `{path.stem}` | {_comment(path)} |" for path in sorted(folder.glob("*.yaml"))]
        tables.append("\n".join([f"### {folder.name}", "", "| choice | |", "|---|---|", *rows]))
    return "\n\n".join(tables)


def _comment(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("# @package")]
    comment = " ".join(line.lstrip("# ") for line in takewhile(lambda line: line.startswith("#"), lines))
    return comment.replace("|", "\\|").replace("<", "&lt;")
