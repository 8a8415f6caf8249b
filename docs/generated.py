"""A hook of mkdocs that inserts the help of each command and the configuration groups.

It replaces `<!-- generated: help segment -->` and `<!-- generated: groups -->` in a page.
"""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path

CONF = Path(__file__).resolve().parent.parent / "conf"
MARK = re.compile(r"<!-- generated: (help (?P<command>[\w ]+)|groups) -->")


def on_page_markdown(markdown: str, **_) -> str:
    """Replace the marks of a page; help texts are collected several at a time, since each starts a process."""
    marks = list(MARK.finditer(markdown))
    with ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(lambda mark: _help(mark["command"]) if mark["command"] else groups(), marks))
    for mark, text in zip(marks, texts, strict=True):
        markdown = markdown.replace(mark[0], text, 1)
    return markdown


def _help(command: str) -> str:
    words = [sys.executable, "-m", "vosmem.cli", *command.split(), "--help"]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return f"```text\n{text.split('== Configuration groups ==')[0].rstrip()}\n```"


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
