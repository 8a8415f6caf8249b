"""Flags of Hydra and overrides work in any order."""

import pytest

from tests.messages import naming
from vosmem.cli.hydra_app import run_hydra
from vosmem.errors import InputError


@pytest.mark.parametrize("line", ["seed=7 --cfg job", "--cfg job seed=7", "name=x --cfg job seed=7", "-c job seed=7"])
def test_cfg_flag_shows_the_config(line, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["vosmem"])
    run_hydra("train", None, line.split())
    assert "\nseed: 7\n" in capsys.readouterr().out


def test_info_flag_shows_the_defaults(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["vosmem"])
    run_hydra("train", None, ["experiment=pretrain_embedded", "--info", "defaults"])
    assert "experiment/pretrain_embedded" in capsys.readouterr().out


def test_value_that_needs_quotes_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["vosmem"])
    with pytest.raises(InputError, match=naming("paths.images=my images (1)", "needs quotes of its own")):
        run_hydra("train", None, ["paths.images=my images (1)"])
    run_hydra("train", lambda config: None, ["paths.images='my images (1)'"])


@pytest.mark.parametrize(("command", "fix"), [("train", "hydra.run.dir=DIR"), ("data render", "output=DIR")])
def test_unwritable_folder_is_named_with_the_key_that_changes_it(command, fix, monkeypatch, tmp_path, capfd):
    def task(config):
        raise OSError(28, "No space left on device", "there/0.png")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["vosmem"])
    with pytest.raises(InputError, match=naming("there/0.png", "No space left", f"name another folder with {fix}")):
        run_hydra(command, task, ["output=there"] if command != "train" else [])
    assert "Error executing job" not in "".join(capfd.readouterr())
