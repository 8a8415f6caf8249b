"""Flags of Hydra and overrides may stand in any order."""

import pytest

from vosmem.cli.hydra_app import run_hydra


@pytest.mark.parametrize("line", ["seed=7 --cfg job", "--cfg job seed=7", "name=x --cfg job seed=7", "-c job seed=7"])
def test_a_config_is_shown(line, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["vosmem"])
    run_hydra("train", None, line.split())
    assert "\nseed: 7\n" in capsys.readouterr().out


def test_the_defaults_are_shown(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["vosmem"])
    run_hydra("train", None, ["experiment=pretrain_embedded", "--info", "defaults"])
    assert "experiment/pretrain_embedded" in capsys.readouterr().out
