"""Weights files are converted and accepted by every command in place of a checkpoint."""

import json
from pathlib import Path

import pytest
import torch

from tests.checkpoints.made import Malice, made_network, tamper, write_run, write_tiny
from tests.conftest import write_davis
from tests.end_to_end.tiny import tiny_train, vosmem
from tests.segmentation.made import write_frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run, its weights file as the console script wrote it, a video and a data set."""
    folder = tmp_path_factory.mktemp("weights")
    write_run(folder / "run")
    done = vosmem("convert", "run/checkpoints/last.ckpt", "tiny.safetensors", "--dtype", "fp32", cwd=folder)
    assert done.stdout.startswith("tiny.safetensors  ") and done.stderr == ""
    write_frames(folder / "frames", folder / "mask.png", 3)
    write_davis(folder / "davis", {"one": 1}, frames=3)
    return folder


@pytest.mark.slow
def test_segment_takes_a_weights_file_for_its_checkpoint(folder):
    for name, weights in (("a", "run/checkpoints/last.ckpt"), ("b", "tiny.safetensors")):
        options = ("--weights", weights, "--output", name, "--write", "masks", "--device", "cpu")
        vosmem("segment", "frames", "--mask", "mask.png", *options, cwd=folder)
    masks = [[path.read_bytes() for path in sorted((folder / name / "masks").iterdir())] for name in ("a", "b")]
    assert masks[0] == masks[1] and len(masks[0]) == 3


def test_evaluate_takes_a_weights_file(folder):
    arguments = ("checkpoint=tiny.safetensors", "eval_set=davis17", "eval_set.root=davis", "device=cpu")
    vosmem("evaluate", *arguments, "paths.output_dir=scores", cwd=folder)
    assert json.loads((folder / "scores" / "results.json").read_text())["num_objects"] == 1


@pytest.mark.slow
def test_training_starts_from_a_weights_file(folder):
    model = ("model=stm_tiny", "model.init=independent", "optimizer.lr=0", "trainer.max_steps=1")
    vosmem(
        *tiny_train(folder, *model, "initial_weights=tiny.safetensors", "hydra.run.dir=trained"),
        "paths.output_dir=trained",
        cwd=folder,
    )
    state = torch.load(folder / "trained" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    for name, value in made_network().state_dict().items():
        torch.testing.assert_close(state[f"network.{name}"], value, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("write", "match"),
    [
        (
            lambda path: torch.save({"state_dict": Malice(path.with_name("executed"))}, path),
            "damaged or holds more than tensors",
        ),
        (lambda path: tamper(write_tiny(path), message={"model": {"_target_": "os.system"}}), "which is no network"),
    ],
)
def test_what_cannot_be_trusted_is_one_line(folder, tmp_path, write, match):
    path = tmp_path / "bad.safetensors"
    write(path)
    arguments = ("--mask", str(folder / "mask.png"), "--weights", "bad.safetensors", "--output", "out")
    done = vosmem("segment", str(folder / "frames"), *arguments, cwd=tmp_path, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and match in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.safetensors"]
