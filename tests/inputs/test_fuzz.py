"""Damaged files give one-line messages, and no other exception."""

import contextlib
import json
import signal
import warnings

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.tiny import vosmem
from tests.inputs.made import write_clip, write_frames, write_mask
from vosmem.errors import InputError
from vosmem.inputs.doctor import inspect
from vosmem.inputs.open import open_videos

CASES, CONSOLE_CASES, PATIENCE = 2000, 50, 20  # seconds


def grey_mask(folder):
    return write_mask(folder / "00000.png", [1, 2])


def palette_mask(folder):
    return write_mask(folder / "00000.png", [1, 2], mode="P")


def jpeg_mask(folder):
    path = folder / "00000.jpg"
    Image.open(write_mask(folder / "x.png", [255])).convert("RGB").save(path)
    (folder / "x.png").unlink()
    return path


def labelme(folder):
    shapes = [{"label": "cat", "points": [[2, 2], [20, 2], [20, 20]], "shape_type": "polygon", "group_id": None}]
    path = folder / "00000.json"
    path.write_text(json.dumps({"shapes": shapes, "imageHeight": 48, "imageWidth": 64, "imagePath": "00000.jpg"}))
    return path


def coco(folder):
    path = folder / "00000.json"
    regions = [
        {"size": [48, 64], "counts": [100, 200, 2772]},
        {"size": [48, 64], "counts": "T3h2l2"},
        [[1, 1, 9, 1, 9, 9]],
    ]
    entries = [{"id": k, "image_id": 1, "track_id": k + 1, "segmentation": region} for k, region in enumerate(regions)]
    images = [{"id": 1, "file_name": "00000.jpg", "height": 48, "width": 64}]
    path.write_text(json.dumps({"images": images, "annotations": entries}))
    return path


MASKS = [grey_mask, palette_mask, jpeg_mask, labelme, coco]
SUFFIXES = [".jpg", ".png", ".mp4", ".avi", ".webm"]


def damaged(content, rng):
    """Bytes changed, cut, doubled or swapped."""
    data = bytearray(content)
    kind = rng.integers(6)
    for _ in range(int(rng.integers(1, 12))):
        index = int(rng.integers(len(data))) if data else 0
        if kind == 0:
            data[index : index + 1] = bytes([int(rng.integers(256))])
        elif kind == 1:
            data[index : index + 4] = rng.integers(0, 256, 4, dtype=np.uint8).tobytes()
        elif kind == 2:
            data[index : index + 1] = bytes([data[index] ^ (1 << int(rng.integers(8)))]) if data else b""
        elif kind == 3:
            del data[index : index + int(rng.integers(1, 40))]
        elif kind == 4:
            data[index:index] = data[index : index + int(rng.integers(1, 40))]
        elif kind == 5:
            return bytes(data[:index])
    return bytes(data)


def damaged_input(folder, rng):
    """A video and its mask, one of them damaged."""
    folder.mkdir()
    suffix = SUFFIXES[rng.integers(len(SUFFIXES))]
    source = folder / ("clip" if suffix in (".jpg", ".png") else f"clip{suffix}")
    if source.suffix:
        write_clip(source, "libvpx" if suffix == ".webm" else "libx264", num_frames=4)
    else:
        write_frames(source, ["00000", "00001"], suffix=suffix)
    (folder / "masks").mkdir()
    mask = MASKS[rng.integers(len(MASKS))](folder / "masks")
    victim = mask if rng.integers(2) else source / f"0000{rng.integers(2)}{suffix}" if source.is_dir() else source
    victim.write_bytes(damaged(victim.read_bytes(), rng))
    return source, mask


def stop(*_):
    raise TimeoutError(f"not done after {PATIENCE} seconds")


@contextlib.contextmanager
def watched():
    """Raise TimeoutError if a case hangs."""
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def one_line(text):
    return bool(text) and "\n" not in text


def read_all(source, mask):
    """Read a video as a run does; returns the error message, if any."""
    try:
        video = open_videos(source, mask)[0].open()
        for t in range(len(video)):
            video.given_mask(t)
            video.frame(t)
    except InputError as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_damaged_input_gives_only_one_line_messages(tmp_path, part):
    warnings.simplefilter("ignore")
    for case in range(part * CASES // 10, (part + 1) * CASES // 10):
        rng = np.random.default_rng(case)
        source, mask = damaged_input(tmp_path / str(case), rng)
        with watched():
            diagnosis = inspect(source, mask, thorough=True)
            texts = [text for video in diagnosis.videos for text in (*video.problems, *video.notes)]
            assert all(one_line(text) for text in texts), case
            assert (read_all(source, mask) is None) == diagnosis.works, case


@pytest.mark.slow
def test_the_console_never_shows_a_stack_trace(tmp_path):
    for case in range(CONSOLE_CASES):
        source, mask = damaged_input(tmp_path / str(case), np.random.default_rng(CASES + case))
        done = vosmem("doctor", str(source), "--mask", str(mask), "--thorough", cwd=tmp_path, check=False)
        assert done.returncode in (0, 1) and "Traceback" not in done.stdout + done.stderr, case
