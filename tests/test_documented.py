"""Commands, links and file names in README and docs are valid."""

import re
import subprocess

import pytest
from hydra.errors import ConfigCompositionException, MissingConfigException

from tests.documented import PAGES, ROOT, blocks, check_parses, commands, relative
from vosmem.cli.__main__ import COMMANDS

DOCUMENTED = list(commands())
# Files between back-ticks: of the package (`memory/policy.py`), or of the repository (`tests/app/test_browser.py`).
FILE = re.compile(r"`((?:src/|conf/|tests/|benchmarks/|docs/|examples/|notebooks/)?[\w./-]+/[\w-]+\.(?:py|yaml|md))`")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)")


def test_every_command_is_documented():
    assert {words[0] for _, words in DOCUMENTED} == set(COMMANDS)


@pytest.mark.parametrize(("where", "words"), DOCUMENTED, ids=[f"{where} {words[0]}" for where, words in DOCUMENTED])
def test_command_parses(where, words, monkeypatch):
    check_parses(words, monkeypatch)


def test_a_wrong_command_is_refused(monkeypatch):
    for words, error, match in (
        (["train", "model=stm_smal"], MissingConfigException, "stm_smal"),
        (["train", "trainr.max_steps=1"], ConfigCompositionException, r"trainr\.max_steps"),
        (["score", "--outptu", "x", "A", "B"], SystemExit, "2"),
    ):
        with pytest.raises(error, match=match):
            check_parses(words, monkeypatch)


def test_make_targets_and_extras_exist():
    text = "\n".join(block.text for block in blocks())
    help_ = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    for target in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE):
        assert re.search(rf"^  {target} ", help_, re.MULTILINE), f"make {target}"
    for extra in re.findall(r"vosmem\[([a-z,]+)\]", "\n".join(page.read_text() for page in PAGES)):
        for name in extra.split(","):
            assert re.search(rf"^{name} =", (ROOT / "setup.cfg").read_text(), re.MULTILINE), f"extra {name}"


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_have_targets(page):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_named_files_exist(page):
    """A page that names a file of the code is corrected when the file moves."""
    missing = [
        path
        for path in FILE.findall(page.read_text())
        if not any((root / path).exists() for root in (ROOT, ROOT / "src" / "vosmem", page.parent))
        and not path.startswith(("mine/", "conf/local/"))  # the reader's own
    ]
    assert missing == []


def test_pages_named_in_code_exist():
    command = [
        "git",
        "grep",
        "-oE",
        r"\bdocs/[A-Za-z0-9_/-]+\.md\b",
        "--",
        "src",
        "conf",
        "tests",
        "benchmarks",
        "Makefile",
    ]
    found = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout.splitlines()
    assert found and [line for line in found if not (ROOT / line.split(":", 1)[1]).is_file()] == []


def test_every_group_has_a_line_in_the_reference():
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    table = page.split("## Groups")[1].split("\n## ")[0]
    groups = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == groups - {"paths"}


def test_every_command_has_its_help_in_the_reference():
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    assert set(re.findall(r"<!-- generated: help (\w+)", page)) == set(COMMANDS) - {
        "completion"
    }  # whose output is a script
