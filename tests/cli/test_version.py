"""`vosmem --version` prints version and licences; with --verbose everything that a bug report needs."""

import sys
from importlib.metadata import version

import torch

from vosmem.checkpoints.bundled import bundled_weights
from vosmem.checkpoints.cards import cards
from vosmem.cli.__main__ import main
from vosmem.cli.version import version_lines


def test_version_comes_first_and_then_the_licence_of_each_weights_file(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["vosmem", "--version"])
    main()
    first, *licences = capsys.readouterr().out.splitlines()
    assert first == f"vosmem {version('vosmem')}"
    bundled = [card for card in cards() if card.name in bundled_weights()]
    assert licences == [f"weights {card.name}: {card.licence}" for card in bundled] != []


def test_verbose_names_the_system_and_every_requirement(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["vosmem", "--version", "--verbose"])
    main()
    lines = capsys.readouterr().out.splitlines()
    assert lines == version_lines(verbose=True)
    assert {f"torch {torch.__version__.split('+')[0]}", f"hydra-core {version('hydra-core')}"} <= {
        line.split("+")[0] for line in lines
    }
    assert any(line.startswith("system ") for line in lines) and any(line.startswith("devices cpu") for line in lines)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr("vosmem.cli.version.requires", lambda name: ["torch>=2.6", "no-such-package>=1; extra == 'x'"])
    assert "no-such-package not installed" in version_lines(verbose=True)
