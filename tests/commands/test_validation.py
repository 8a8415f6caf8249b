"""Validation during training and `vosmem evaluate` give the same scores for the same weights."""

import tempfile

import pytest
import torch

from tests.conftest import write_davis
from tests.segmentation.made import WIDTHS, write_checkpoint
from vosmem.checkpoints.loading import load_network
from vosmem.commands.common import compose, make
from vosmem.commands.evaluation import evaluate

RANDOM = ["memory.interval=1", "memory.eviction=random", "memory.max_frames=3"]  # its draws depend on the video's name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation")
    write_davis(folder / "davis", {"one": 1, "two": 2}, frames=8)
    write_checkpoint(folder / "last.ckpt")
    return folder


def evaluated(folder, *overrides):
    config = compose(
        "evaluate", f"checkpoint={folder / 'last.ckpt'}", "eval_set=davis17", f"eval_set.root={folder / 'davis'}",
        f"paths.output_dir={tempfile.mkdtemp(dir=folder)}", "device=cpu", "save_masks=false", *overrides,
    )  # fmt: skip
    return evaluate(config, lambda name, run: None)[0]["J&F"]


def validated(folder, *overrides):
    widths = [f"model.{key}={value}" for key, value in WIDTHS.items()]
    config = compose("train", "phase=main", "model=stm", *widths, "trainer.max_steps=1", *overrides)
    module = make(config.phase, network=config.model).eval()
    module.network.load_state_dict(load_network(folder / "last.ckpt").state_dict())
    with torch.no_grad():
        for sequence in make(compose("evaluate", "eval_set=davis17", f"eval_set.root={folder / 'davis'}").eval_set):
            module.validation_step(sequence, 0)
    return float(module.val_scores.compute()["J&F"])


@pytest.mark.parametrize("overrides", [(), RANDOM], ids=["every fifth", "random eviction"])
def test_validation_and_evaluation_give_the_same_scores(folder, overrides):
    found = evaluated(folder, *overrides)
    assert found == pytest.approx(validated(folder, *overrides), abs=1e-4) and found > 0.01


def test_window_and_seed_change_the_scores(folder):
    """Shows that the test above can fail."""
    assert abs(evaluated(folder, "zoom=window", "zoom.margin=1.5") - evaluated(folder)) > 1e-3
    assert abs(evaluated(folder, *RANDOM, "memory.seed=1") - evaluated(folder, *RANDOM)) > 1e-4


@pytest.mark.parametrize(
    "sweep", ["interval", "threshold", "ablation", "eviction", "random_eviction", "table5", "repeated"]
)
def test_every_sweep_uses_whole_frames(sweep):
    config = compose("evaluate", f"sweep={sweep}", *(["max_frames=5"] if "eviction" in sweep else []))
    assert make(config.method).keywords["zoom"] is None and "zoom" not in config


def test_evaluation_uses_whole_frames_by_default():
    assert make(compose("evaluate").method).keywords["zoom"] is None
    assert make(compose("evaluate", "zoom=window").method).keywords["zoom"].most == 2


def test_threshold_is_calibrated_with_the_window_of_the_evaluation():
    assert make(compose("calibrate").get("zoom")) is None
    assert make(compose("calibrate", "zoom=window").zoom) == make(compose("evaluate", "zoom=window").zoom)
