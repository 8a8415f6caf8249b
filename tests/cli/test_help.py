"""The help of every command has examples that parse; bash completes commands and configs."""

import importlib
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.documented import check_parses
from tests.end_to_end.tiny import vosmem
from vosmem.cli.__main__ import COMMANDS
from vosmem.cli.completion import HYDRA

TYPED = [*([name] for name in COMMANDS), ["data", "gallery"], ["data", "render"]]


def shown(words, monkeypatch, capsys, tmp_path):
    """The help of a command, printed in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["vosmem", *words, "--help"])
    with suppress(SystemExit):
        importlib.import_module(f"vosmem.cli.{words[0]}").run([*words[1:], "--help"])
    return capsys.readouterr().out


@pytest.mark.parametrize("words", TYPED, ids=" ".join)
def test_help_has_examples_that_parse(words, monkeypatch, capsys, tmp_path):
    text = shown(words, monkeypatch, capsys, tmp_path)
    head = text[re.search(r"^examples?: *", text, re.MULTILINE).end() :]
    examples = re.findall(r"^ *(?:eval \"\$\()?(vosmem [^()\n]+)", head, re.MULTILINE)
    assert examples
    for example in examples:
        typed = shlex.split(example)[1:]
        if "--help" not in typed and "COMMAND" not in typed:
            assert typed[: len(words)] == words
            check_parses(typed, monkeypatch)


COMPLETE = """eval "$(vosmem completion bash)"
while IFS= read -r COMP_LINE; do
    COMP_POINT=${#COMP_LINE}; read -ra COMP_WORDS <<< "$COMP_LINE"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
    _vosmem
    echo "${COMPREPLY[*]}"
done"""


def test_bash_completes_commands_and_overrides(tmp_path):
    asked = {
        "vosmem ev": "evaluate",
        "vosmem data g": "gallery",
        "vosmem train model=stm_": "model=stm_r18 model=stm_small model=stm_tiny",
        "vosmem evaluate memory.int": "memory.interval=",
        "vosmem data gallery show=clips augm": "augmentation. augmentation=",
    }
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-c", COMPLETE], input="\n".join(asked) + "\n", env=path, cwd=tmp_path, capture_output=True, text=True
    )
    assert [line.strip() for line in done.stdout.splitlines()] == list(asked.values())


def test_completion_lists_the_commands_that_take_overrides(tmp_path):
    listed = vosmem("--help", cwd=tmp_path).stdout
    assert set(HYDRA) <= set(COMMANDS) and all(re.search(rf"^  {name} ", listed, re.MULTILINE) for name in HYDRA)
