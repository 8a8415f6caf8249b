"""The commands that README and docs show, and a check that one parses without being run."""

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hydra import compose, initialize_config_module
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser

from vosmem.cli.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
HYDRA = ("train", "evaluate", "calibrate", "benchmark", "gallery", "render")
FENCE = re.compile(r"(?:<!-- not run: (?P<why>[^>]+) -->\n)?^```(?:sh|bash)\n(?P<text>.*?)^```", re.M | re.S)
INLINE = re.compile(r"(?<!`)`(?P<text>vosmem (?:train|evaluate|calibrate|benchmark|data) [^`]+)`(?!`)")
# A pattern of several commands, or a part of one.
FORM = re.compile(r"\||CHOICE|=MODEL|\.\.\.|OVERRIDES|\[[a-z]+=")

SUBSTITUTED = re.compile(r"\$\((?P<text>vosmem [^)]*)\)")


class Block(NamedTuple):
    """A fenced block of commands.

    Attributes:
        where: page, relative to the repository, and line.
        text: the lines of the block.
        why_not_run: reason in the mark before the block; None if tests run the block.
    """

    where: str
    text: str
    why_not_run: str | None


def relative(page: Path) -> str:
    """Path of a page relative to the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks() -> list[Block]:
    """All blocks of README and docs."""
    found = []
    for page in PAGES:
        content = page.read_text()
        for match in FENCE.finditer(content):
            line = content.count("\n", 0, match.start("text"))
            found.append(Block(f"{relative(page)}:{line}", match["text"], match["why"]))
    return found


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every vosmem command in blocks and between back-ticks: page and line, and its arguments."""
    for block in blocks():
        for line in block.text.replace("\\\n", " ").splitlines():
            within = SUBSTITUTED.search(line)
            words = shlex.split(within["text"] if within else line, comments=True)
            if words and words[0].endswith("vosmem"):
                yield block.where, words[1:]
    for page in PAGES:
        content = page.read_text()
        for match in INLINE.finditer(content):
            text = " ".join(match["text"].split())
            if not FORM.search(text):
                yield f"{relative(page)}:{content.count(chr(10), 0, match.start()) + 1}", shlex.split(text)[1:]


class _Parsed(Exception):
    """Raised when a command line is parsed, so that the command does not run."""


def check_parses(words: list[str], monkeypatch) -> None:
    """Fail if `vosmem` would refuse the command line.

    Args:
        words: arguments after `vosmem`.
        monkeypatch: the fixture.
    """
    assert words[0] in COMMANDS, f"there is no command {words[0]!r}"
    command = words[1] if words[0] == "data" else words[0]
    if command in HYDRA:
        typed = get_args_parser().parse_args(words[words.index(command) + 1 :])
        if typed.config_dir is None:  # otherwise the config files are the user's
            with initialize_config_module("vosmem.conf", version_base="1.3"):
                compose(command, overrides=[_first_of_sweep(argument) for argument in typed.overrides])
        return
    parse = argparse.ArgumentParser.parse_args

    def only_parse(parser, arguments=None, namespace=None):
        parse(parser, arguments, namespace)
        raise _Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", only_parse)
    try:
        importlib.import_module(f"vosmem.cli.{command}").run(words[1:])
    except _Parsed:
        return
    raise AssertionError(f"{command} never parsed its arguments")


def _first_of_sweep(argument: str) -> str:
    override = OverridesParser.create().parse_override(argument)
    if not override.is_sweep_override():
        return argument
    return f"{argument.partition('=')[0]}={next(iter(override.sweep_string_iterator()))}"
