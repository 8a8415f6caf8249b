"""docs/explanation/reproduction.md lists every deviation, each with an existing key and its value."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hydra import compose as compose_hydra
from hydra import initialize_config_module
from omegaconf import DictConfig, OmegaConf

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "reproduction.md"
EXPERIMENTS = sorted(path.name.removesuffix(".yaml") for path in (files("vosmem.conf") / "experiment").iterdir())
PAPER = (
    *("pretrain", "main_davis", "main_youtubevos", "main_davis_youtubevos"),
    *("remn_pretrain", "remn_main", "remn_gate"),
)
SMALL = [name for name in EXPERIMENTS if name not in PAPER]
COLUMNS = ["what", "paper", "published code", "vosmem", "switch, with its value in these experiments", "reason"]
SWITCH = re.compile(r"`([\w.]+)=([^`]*)`(?: in ([\w*=, ]*\w\*?|\w+\*))?")
# What a run is called, where it runs, from what it starts and on what it is validated teaches the network nothing.
BESIDE_TRAINING = (
    *(
        "name",
        "paths",
        "initial_weights",
        "validate_every_steps",
        "validation_augmentation",
        "eval_set",
        "datamodule.sequences",
    ),
    *("callbacks.progress", "callbacks.warn_if_long", "trainer.log_every_n_steps"),
    *("datamodule.num_workers", "datamodule.device_batch_size", "check_data", "score_untrained", "debug"),
    *("trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy", "trainer.max_time"),
)


class Switch(NamedTuple):
    """A key in the table, its value, and the compositions that have it."""

    key: str
    value: Any
    where: tuple[str, ...]


def table() -> list[list[str]]:
    lines = PAGE.read_text().split("## Deviations")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    assert rows[0] == COLUMNS
    return rows[1:]


def switches(cell: str) -> Iterator[Switch]:
    for key, value, scope in SWITCH.findall(cell.replace("\\*", "*")):
        patterns = [pattern.strip() for pattern in scope.split(",")] if scope else ["*"]
        where = []
        for pattern in patterns:
            named = (
                [pattern] if pattern.split()[0] == "evaluate" else [name for name in PAPER if fnmatch(name, pattern)]
            )
            assert named, f"{pattern!r} is no experiment of the papers' scale"
            where += named
        yield Switch(key, yaml.safe_load(value), tuple(where))


ROWS = table()
SWITCHES = [switch for row in ROWS for switch in switches(row[4])]


def compose(command: str, *overrides: str) -> DictConfig:
    with initialize_config_module("vosmem.conf", version_base="1.3"):
        return compose_hydra(command, overrides=list(overrides))


@cache
def composed(where: str) -> tuple[Any, Any]:
    """The configuration and, its content with unresolved interpolations."""
    command, *overrides = where.split()
    if command != "evaluate":
        command, overrides = "train", [f"experiment={where}"]
    config = compose(command, *overrides)
    return config, OmegaConf.to_container(config, resolve=False)


def found(where: str, key: str) -> Any:
    """The value of a key: a class by its name, `absent` where there is no such key."""
    config, node = composed(where)
    for part in key.split("."):
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return "absent"
    return shown(OmegaConf.select(config, key) if isinstance(node, str) and "${" in node else node)


def shown(node: Any) -> Any:
    if isinstance(node, dict):
        return node["_target_"].rsplit(".", 1)[-1] if "_target_" in node else list(node)
    return [shown(child) for child in node] if isinstance(node, list) else node


def leaves(node: Any, path: str = "") -> dict[str, Any]:
    """Every value by its key, lists of plain values whole."""
    if isinstance(node, list) and any(isinstance(child, dict) for child in node):
        node = dict(enumerate(node))
    if not isinstance(node, dict):
        return {path: node}
    return {
        key: value for name, child in node.items() for key, value in leaves(child, f"{path}.{name}".lstrip(".")).items()
    }


def below(key: str, parents: tuple[str, ...]) -> bool:
    return any(key == parent or key.startswith(f"{parent}.") for parent in parents)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_names_a_key_with_its_value(row):
    assert len(row) == len(COLUMNS) and all(row)
    own = list(switches(row[4]))
    assert own and row[4].count("`") == 2 * len(own), f"not understood: {row[4]}"
    for key, value, where in own:
        for name in where:
            assert found(name, key) == value, f"{key} in {name}"


def test_what_is_absent_is_a_key_that_exists_elsewhere():
    for key in {switch.key for switch in SWITCHES if switch.value == "absent"}:
        with_average = compose("train", "callbacks=ema")
        elsewhere = any(found(name, key) != "absent" for name in EXPERIMENTS)
        assert elsewhere or OmegaConf.select(with_average, key) is not None, key


@pytest.mark.parametrize("small", SMALL)
def test_every_key_in_which_small_experiments_differ_has_a_row(small):
    """Every small experiment of the same network and phase as one at the scale of the papers."""
    own = leaves(composed(small)[1])
    kind = ("phase._target_", "model._target_")
    counterparts = [name for name in PAPER if all(leaves(composed(name)[1])[key] == own[key] for key in kind)]
    assert counterparts
    for paper in counterparts:
        theirs = leaves(composed(paper)[1])
        differing = [key for key in sorted({*own, *theirs}) if own.get(key, "absent") != theirs.get(key, "absent")]
        rows = tuple(switch.key for switch in SWITCHES if paper in switch.where)
        missing = [key for key in differing if not below(key, rows) and not below(key, BESIDE_TRAINING)]
        assert missing == [], f"{small} differs from {paper}: give each a row in docs/explanation/reproduction.md"


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_experiments_start_as_the_papers_do(name):
    config, _ = composed(name)
    assert config.calibration.batches == 0 and config.model.get("init", "independent") == "independent"
    assert config.model.weights == "imagenet" and config.phase.backbone_lr_factor == 1
