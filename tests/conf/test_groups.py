"""Config groups: the help of `vosmem train` lists each, and a file for one machine overrides all of them."""

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

COMMANDS = ("train", "evaluate", "calibrate", "benchmark", "gallery", "render")


@pytest.fixture(autouse=True)
def _hydra():
    GlobalHydra.instance().clear()
    with initialize_config_module("vosmem.conf", version_base="1.3"):
        yield


def groups_of(overrides):
    """The groups of vosmem train, also those inside other groups."""
    choices = compose("train", overrides, return_hydra_config=True).hydra.runtime.choices
    names = {str(key).split("@")[0].removeprefix("hydra/") for key in choices if "/" not in str(key) or "@" in str(key)}
    return {name.rsplit("/", 1)[-1] for name in names} - {"local"}


def test_help_of_train_has_a_line_for_every_group():
    nested = ["model=remn_small", "train_videos=rendered", "eval_set=rendered", "launcher=joblib", "debug=limit"]
    used = groups_of(["experiment=pretrain_small", "sweep=loss", *nested]) | {"launcher"}
    assert {"model", "train_images", "scene", "local_attention", "debug", "experiment"} <= used
    config = compose("train", return_hydra_config=True)
    template = OmegaConf.to_container(config.hydra.help, resolve=False)["template"]
    listed = template[template.index("groups (") : template.index("== Configuration groups ==")]
    lines = dict(re.findall(r"^  ([a-z_, ]+?)  +(\S.*)$", listed, re.M))
    names = {name for key in lines for name in key.split(", ")}
    assert used <= names, used - names
    assert all(len(text) > 10 for text in lines.values())


def test_help_has_no_line_for_a_missing_group():
    template = OmegaConf.to_container(compose("train", return_hydra_config=True).hydra.help, resolve=False)["template"]
    listed = template[template.index("groups (") : template.index("== Configuration groups ==")]
    names = {name for key in re.findall(r"^  ([a-z_, ]+?)  +\S", listed, re.M) for name in key.split(", ")}
    folders = {path.name for path in (Path(__file__).parents[2] / "conf").iterdir() if path.is_dir()}
    assert names <= folders


@pytest.mark.parametrize("command", COMMANDS)
def test_local_file_overrides_defaults_and_experiment(tmp_path, command):
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "default.yaml").write_text(
        "# @package _global_\npaths: {data: /big}\nname: here\n", encoding="utf-8"
    )
    overrides = ["experiment=pretrain"] if command == "train" else []
    assert compose(command, overrides).paths.data != "/big"
    config = compose(command, [*overrides, f"hydra.searchpath=[file://{tmp_path}]"])
    assert (config.paths.data, config.name) == ("/big", "here")
    assert compose(command, [f"hydra.searchpath=[file://{tmp_path}]", "name=typed"]).name == "typed"


def test_local_file_is_not_committed():
    root = Path(__file__).parents[2]
    assert "/conf/local/" in (root / ".gitignore").read_text(encoding="utf-8").splitlines()
