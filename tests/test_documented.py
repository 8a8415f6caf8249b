"""What README and docs tell users to type is understood; what is not marked runs."""

import re
import subprocess

import pytest
from hydra.errors import ConfigCompositionException, MissingConfigException

from tests.documented import PAGES, ROOT, blocks, check_parses, commands
from vosmem.cli.__main__ import COMMANDS

DOCUMENTED = list(commands())
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)")


def test_every_command_is_documented():
    assert {words[0] for _, words in DOCUMENTED} == set(COMMANDS)


@pytest.mark.parametrize(("where", "words"), DOCUMENTED, ids=[f"{where} {words[0]}" for where, words in DOCUMENTED])
def test_it_parses(where, words, monkeypatch):
    check_parses(words, monkeypatch)


def test_a_wrong_one_does_not(monkeypatch):
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []
