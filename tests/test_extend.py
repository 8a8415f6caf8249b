"""The code and the configs of docs/how-to/extend.md work as shown."""

import re
import sys
from types import ModuleType

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

import vosmem
from tests.conftest import ROOT
from vosmem.data.sources.evaluation_sets import evaluation_set
from vosmem.inference.engine.engine import Engine
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.memory.policy import Candidate

TEXT = (ROOT / "docs" / "how-to" / "extend.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
YAML = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", TEXT, re.DOTALL))


@pytest.fixture
def composed(tmp_path):
    """Compose a command with the page's files in an additional folder, as --config-dir does."""

    def compose_with(command: str, *overrides: str):
        for name, text in YAML.items():
            path = tmp_path / name.split("/", 1)[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose(command, overrides=[f"hydra.searchpath=[file://{tmp_path}]", *overrides])

    return compose_with


def test_memory_policy(composed, monkeypatch):
    module = ModuleType("own_policy")
    exec(PYTHON[0], module.__dict__)
    monkeypatch.setitem(sys.modules, "own_policy", module)
    config = composed("evaluate", "memory=certain", "memory._target_=own_policy.Certain")
    policy = instantiate(config.memory)
    certain, uncertain, given = (
        Candidate(3, given, [1], torch.ones(1, 2, 2), torch.tensor(certainty))
        for certainty, given in ((0.95, False), (0.5, False), (0.5, True))
    )
    assert [policy.keeps(frame, None) for frame in (certain, uncertain, given)] == [True, False, True]
    assert policy.make_bank().max_frames is None and policy.eviction == "oldest"


def test_augmentation(composed):
    config = composed("train", "augmentation=grey")
    names = [transform["_target_"].rsplit(".")[-1] for transform in config.augmentation.frame_transforms]
    assert names == ["CropAffine", "ToGray"]
    assert [type(each).__name__ for each in instantiate(config.augmentation).frame_transforms] == names


def test_eviction_trace(davis, small_stm, monkeypatch, capsys):
    monkeypatch.setattr(vosmem, "load", lambda **_: Segmenter(small_stm, Engine(torch.device("cpu"))))
    (sequence, *_) = evaluation_set("davis", str(davis), year=2016)
    code = PYTHON[1].replace("max_frames=5", "interval=1, max_frames=2")
    code = re.sub(r"^sequence = .*$", "", code, flags=re.MULTILINE)
    exec(code, {"sequence": sequence})
    rows = [line.split(" ", 1) for line in capsys.readouterr().out.splitlines()]
    assert [int(t) for t, _ in rows] == list(range(len(sequence)))
    assert rows[-1][1].startswith(f"[0, {len(sequence) - 2}]")  # the given frame and the newest


def test_every_section_names_files():
    sections = TEXT.split("\n## ")[1:]
    assert len(sections) == 8 and all(re.search(r"`[\w/]+\.py`", section) for section in sections)
    assert all(yaml.safe_load(text) for text in YAML.values())
