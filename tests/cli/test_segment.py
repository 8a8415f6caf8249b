"""`vosmem segment` in this process: unusual inputs, and errors reported in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.checkpoints.made import write_tiny
from tests.messages import naming
from tests.segmentation.made import write_checkpoint, write_frames
from vosmem.checkpoints import loading
from vosmem.checkpoints.loading import find_weights
from vosmem.checkpoints.reading import file_hash
from vosmem.cli.segment import run
from vosmem.commands import segmentation
from vosmem.errors import InputError
from vosmem.inference.sequences.confidence import NUM_CHECKS


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A checkpoint and a video with its mask."""
    folder = tmp_path_factory.mktemp("segment")
    write_checkpoint(folder / "tiny.ckpt")
    write_frames(folder / "frames", folder / "mask.png", 3)
    return folder


def segment(folder: Path, *arguments: str) -> None:
    run([*arguments, "--weights", str(folder / "tiny.ckpt"), "--device", "cpu"])


@pytest.mark.parametrize("kind", ["one pixel", "four channels", "one frame", "forty objects"])
def test_unusual_inputs_are_segmented(folder, tmp_path, kind):
    count, objects = (1, 2) if kind == "one frame" else (3, 2)
    size = (48, 80)
    write_frames(tmp_path / "frames", tmp_path / "mask.png", count, size, objects)
    if kind == "four channels":
        for path in (tmp_path / "frames").iterdir():
            Image.open(path).convert("RGBA").save(path)
    if kind == "one pixel":
        mask = np.zeros(size, np.uint8)
        mask[20, 30] = 5
        Image.fromarray(mask).save(tmp_path / "mask.png")
    if kind == "forty objects":
        blocks = 1 + np.arange(40, dtype=np.uint8).reshape(4, 10)
        Image.fromarray(np.kron(blocks, np.ones((12, 8), np.uint8))).save(tmp_path / "mask.png")
    out = tmp_path / "out"
    segment(folder, str(tmp_path / "frames"), "--mask", str(tmp_path / "mask.png"), "--output", str(out))
    assert len(list((out / "masks").iterdir())) == count
    first = np.asarray(Image.open(out / "masks" / "00000.png"))
    assert np.array_equal(first, Image.open(tmp_path / "mask.png"))
    assert len((out / "frames_to_check.csv").read_text().splitlines()) <= NUM_CHECKS + 1


def test_weights_are_searched_once(folder, tmp_path, monkeypatch):
    calls = []

    def counted(*names):
        calls.append(names)
        return find_weights(*names)

    for module in (loading, segmentation):
        monkeypatch.setattr(module, "find_weights", counted)
    arguments = (str(folder / "frames"), "--mask", str(folder / "mask.png"), "--output", str(tmp_path / "out"))
    segment(folder, *arguments)
    assert len(calls) == 1


def test_every_memory_config_is_a_choice(folder, tmp_path):
    arguments = (str(folder / "frames"), "--mask", str(folder / "mask.png"), "--memory", "adaptive")
    segment(folder, *arguments, "--output", str(tmp_path / "out"))
    memory = json.loads((tmp_path / "out" / "run.json").read_text())["about"]["memory"]
    assert memory["policy"] == "adaptive" and memory["threshold"] > 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--box", "1,2,3,4", "--mask", "mask.png"), "give one of them"),
        (("--mask", "missing.png"), "missing.png"),
        (("--mask", "mask.png", "--memory", "first", "--interval", "3"), "--interval"),
        (("--mask", "mask.png", "--max-frames", "1"), "max_frames"),
        (("--mask", "mask.png", "--size", "8"), "short side 8"),
        (("--mask", "mask.png", "--zoom", "0.5"), "most=0.5"),
        (("--mask", "mask.png", "--start", "3"), "3"),
        (("--mask", "mask.png", "--model", "good"), "'good'"),
        (("--mask", "mask.png", "--precision", "fp16"), "fp16"),
        (("--mask", "mask.png", "--output", "tiny.ckpt/out"), "tiny.ckpt"),
        (("--box", "1,2,30,40", "--output", "frames/out"), "--output frames/out is in the input"),
        ((), "--mask"),
    ],
)
def test_unusable_segment_options_are_refused(folder, monkeypatch, arguments, named):
    monkeypatch.chdir(folder)
    output = () if "--output" in arguments else ("--output", "bad")
    with pytest.raises(InputError, match=naming(named)):
        segment(folder, "frames", *arguments, *output)
    assert not (folder / "bad").exists()


def test_box_may_exceed_the_frame_and_names_may_hold_brackets(folder, tmp_path, capsys):
    """argparse takes a value with a minus for an option, and rich a word in brackets for a style."""
    out = tmp_path / "take [red] (1)"
    segment(folder, str(folder / "frames"), "--box", "-10,-10,50,40", "--output", str(out))
    assert (out / "masks" / "00000.png").is_file()
    assert any(line.endswith(str(out)) for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("options", [(), ("--model", "remn_small"), ("--weights", "remn_small")])
def test_bundled_weights_are_used(folder, tmp_path, shelf, options):
    arguments = [str(folder / "frames"), "--mask", str(folder / "mask.png"), "--device", "cpu", *options]
    with pytest.raises(InputError, match=r"none come with this version|cannot be used|not found"):
        run([*arguments, "--output", str(tmp_path / "none")])
    write_tiny(shelf / "remn_small.safetensors")
    run([*arguments, "--output", str(tmp_path / "out")])
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["about"]["network"]["class"] == "STM"
    assert record["about"]["network"]["sha256"] == file_hash(shelf / "remn_small.safetensors")
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_large_frames(folder, tmp_path):
    write_frames(tmp_path / "frames", tmp_path / "mask.png", 2, (3000, 5000))
    arguments = (str(tmp_path / "frames"), "--mask", str(tmp_path / "mask.png"), "--size", "120")
    segment(folder, *arguments, "--output", str(tmp_path / "out"))
    with Image.open(tmp_path / "out" / "masks" / "00001.png") as mask:
        assert mask.size == (5000, 3000)
