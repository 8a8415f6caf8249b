"""`vosmem segment` through the console script: unusual inputs, killed runs, broken videos, and parity with Python."""

import json
import math
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vosmem
from tests.end_to_end.tiny import vosmem as console
from tests.segmentation.made import write_checkpoint, write_frames
from vosmem.data.decoding.images import read_image
from vosmem.visualization.video import write_video

WEIGHTS = ("--weights", "tiny.ckpt", "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A checkpoint of random weights, videos of two objects, and their masks."""
    folder = tmp_path_factory.mktemp("segment")
    write_checkpoint(folder / "tiny.ckpt")
    for name, count in (("short", 6), ("long", 40)):
        write_frames(folder / "videos" / name, folder / "masks" / f"{name}.png", count)
    ground = np.random.default_rng(0).normal(90, 4, (48, 80, 3)).clip(0, 255).astype(np.uint8)
    bright = np.zeros((48, 80, 1), bool)
    bright[14:30, 20:38] = True
    frames = (np.where(np.roll(bright, 2 * t, axis=1), np.uint8(220), ground) for t in range(6))
    write_video(frames, folder / "clip.mp4", 12)
    return folder


def segment(folder: Path, *arguments: str, **more):
    return console("segment", *arguments, *WEIGHTS, cwd=folder, **more)


def masks(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "masks").iterdir())}


def test_the_console_writes_what_the_api_finds(folder):
    options = ("--mask", "masks/short.png", "--output", "short", "--write", "overlay,report,coco")
    done = segment(folder, "videos/short", *options)
    assert done.stdout.startswith("short: 6 frames, ")
    names = {path.name for path in (folder / "short").iterdir()}
    assert names >= {"masks", "overlay.mp4", "objects.csv", "frames_to_check.csv", "run.json", "report.html"}
    frames = [read_image(path) for path in sorted((folder / "videos" / "short").iterdir())]
    mask = np.asarray(Image.open(folder / "masks" / "short.png"))
    for found in vosmem.load(folder / "tiny.ckpt", device="cpu").propagate(frames, mask):
        written = np.asarray(Image.open(folder / "short" / "masks" / f"{found.t:05d}.png"))
        assert (written != found.ids.numpy()).mean() < 0.001  # the number of threads moves the last digits


def test_one_broken_video_does_not_stop_the_others(folder, tmp_path):
    for name in ("a", "b", "c"):
        write_frames(tmp_path / "videos" / name, tmp_path / "masks" / f"{name}.png", 4)
    broken = tmp_path / "videos" / "b" / "00002.png"
    broken.write_bytes(broken.read_bytes()[:500])
    done = segment(folder, str(tmp_path / "videos"), "--mask", str(tmp_path / "masks"), "--output", "some", check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "video 'b'" in done.stderr and "00002.png" in done.stderr
    assert {name: len(masks(folder / "some" / name)) for name in ("a", "b", "c")} == {"a": 4, "b": 2, "c": 4}
    assert not (folder / "some" / "b" / "report.html").exists() and (folder / "some" / "c" / "report.html").exists()


def test_video_files_boxes_and_both_directions(folder):
    options = (
        "--box",
        "20,8,52,36",
        "--start",
        "3",
        "--direction",
        "both",
        "--memory",
        "first",
        "--size",
        "32",
        "--flip",
    )
    done = segment(folder, "clip.mp4", *options, "--output", "boxed")
    record = json.loads((folder / "boxed" / "run.json").read_text())
    budget = record["memory_limits"]["mb"]
    assert record["memory_limits"]["frames"] == 32 and math.log2(budget).is_integer()
    assert f"frames in memory: 1, 0 MB (limit: 32 frames and {budget:g} MB)" in done.stdout
    limits = {"max_frames": 32, "budget_mb": "automatic", "dtype": None, "eviction": "oldest", "gated": False}
    assert record["about"]["memory"] == {"policy": "first", "seed": 0, **limits}
    given = np.asarray(Image.open(folder / "boxed" / "first_mask.png"))
    assert given.any() and np.array_equal(given, Image.open(folder / "boxed" / "masks" / "00003.png"))
    assert len(masks(folder / "boxed")) == 6
    corrected = Image.fromarray(np.roll(given, 1, axis=1))
    corrected.save(folder / "boxed" / "first_mask.png")
    done = segment(folder, "clip.mp4", *options, "--output", "boxed", check=False)
    assert done.returncode == 2 and "is there already, and is another mask: give it as --mask" in done.stderr
    assert np.array_equal(Image.open(folder / "boxed" / "first_mask.png"), corrected)


@pytest.mark.slow
def test_strokes_are_cut_out(folder):
    drawn = np.zeros((48, 80), np.uint8)
    drawn[20:24, 26:32], drawn[2:5] = 1, 2
    Image.fromarray(drawn).save(folder / "strokes.png")
    segment(folder, "clip.mp4", "--scribble", "strokes.png", "--output", "drawn")
    given = np.asarray(Image.open(folder / "drawn" / "first_mask.png"))
    assert given[14:30, 20:38].mean() > 0.9 and given.sum() < 350
    assert np.array_equal(given, Image.open(folder / "drawn" / "masks" / "00000.png"))
    Image.fromarray(drawn[:40]).save(folder / "cut.png")
    done = segment(folder, "clip.mp4", "--scribble", "cut.png", "--output", "odd", check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "80x40" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("size", "count", "num_objects"), [((3000, 5000), 3, 2), ((240, 320), 4, 40)])
def test_large_frames_and_many_objects(tmp_path, folder, size, count, num_objects):
    rows, columns = np.mgrid[: size[0], : size[1]]
    label = (rows * 8 // size[0]) * 5 + columns * 5 // size[1] + 1
    label[(rows % (size[0] // 8) < 9) | (columns % (size[1] // 5) < 9) | (label > num_objects)] = 0
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 200, (41, 3), np.uint8)[label]
    (tmp_path / "frames").mkdir()
    for t in range(count):
        Image.fromarray(ground).save(tmp_path / "frames" / f"{t}.jpg")
    Image.fromarray(label.astype(np.uint8)).save(tmp_path / "mask.png")
    arguments = ("--mask", str(tmp_path / "mask.png"), "--output", str(tmp_path / "out"), "--size", "160")
    segment(folder, str(tmp_path / "frames"), *arguments)
    found = [np.asarray(Image.open(tmp_path / "out" / "masks" / f"{t}.png")) for t in range(count)]
    assert np.array_equal(found[0], label)
    for mask in found:
        assert mask.shape == size and set(np.unique(mask)) <= set(range(num_objects + 1))
    with open(tmp_path / "out" / "objects.csv") as table:
        assert len(table.readlines()) == 1 + count * num_objects


@pytest.mark.parametrize("taken", ["a file", "no place"])
def test_an_output_that_cannot_be_made_is_one_line(folder, tmp_path, taken):
    out = tmp_path / "taken" if taken == "a file" else Path("/proc/missing")  # where not even root can write
    if taken == "a file":
        out.write_text("kept")
    done = segment(folder, "videos/short", "--mask", "masks/short.png", "--output", str(out), check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and str(out) in done.stderr
    assert taken != "a file" or out.read_text() == "kept"


def test_a_full_disk_is_one_line(folder):
    """A limit on the size of a file stands for it: the overlay video does not fit."""
    limited = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))  # noqa: E731
    program = Path(sys.executable).with_name("vosmem")
    arguments = ["segment", "videos/long", "--mask", "masks/long.png", "--output", "full", *WEIGHTS]
    done = subprocess.run([program, *arguments], cwd=folder, preexec_fn=limited, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "free some space" in done.stderr
    assert {path.name for path in (folder / "full").iterdir()} == {"run.json", "masks", ".lock"}
    for path in (folder / "full" / "masks").iterdir():
        assert Image.open(path).getextrema()[1] > 0
