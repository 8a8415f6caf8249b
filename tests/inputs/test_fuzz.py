"""Damaged files give one-line messages, and no other exception."""

import contextlib
import copy
import json
import signal
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.tiny import vosmem
from tests.inputs.made import squares, write_clip, write_frames, write_mask, write_mask_video
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


OUTLINE = [[2.0, 2.0], [20.0, 2.0], [20.0, 20.0]]
ODD = [None, "", "x", -1, 0, 1e308, float("nan"), 2**40, [], {}, [[]], True, "7", [1, 2, 3]]


def youtube_vis(folder):
    video = {"id": 1, "width": 64, "height": 48, "file_names": ["clip/00000.png", "clip/00001.png"]}
    regions = [[[2, 2, 20, 2, 20, 20]], {"size": [48, 64], "counts": [100, 200, 2772]}]
    entries = [
        {"id": k, "video_id": 1, "category_id": 1, "segmentations": [own, None]} for k, own in enumerate(regions)
    ]
    content = {"videos": [video], "annotations": entries, "categories": [{"id": 1, "name": "cat"}]}
    return written(folder / "a.json", content)


def label_studio(folder):
    shared = {"original_width": 64, "original_height": 48, "image_rotation": 0}
    packed = [0, 0, 48, 0, 57, 27, 254, 39, 0, 194, 127, 246, 192, 48, 159, 253, 176]
    results = [
        {"id": "a", "type": "polygonlabels", "value": {"points": OUTLINE, "polygonlabels": ["cat"]}, **shared},
        {"id": "b", "type": "brushlabels", "value": {"format": "rle", "rle": packed}, **shared},
        {"id": "c", "type": "ellipselabels", "value": {"x": 9, "y": 9, "radiusX": 5, "radiusY": 4}, **shared},
    ]
    task = {"data": {"image": "/upload/0a1b2c3d-00000.png"}, "annotations": [{"result": results}]}
    return written(folder / "a.json", [task])


def cvat(folder):
    points = ";".join(f"{x},{y}" for x, y in OUTLINE)
    shapes = (
        f'<polygon label="a" points="{points}"/><mask label="b" rle="2, 3, 1" left="4" top="4" width="3" height="2"/>'
    )
    size = "<original_size><width>64</width><height>48</height></original_size>"
    track = f'<track id="0" label="a"><polygon frame="0" outside="0" points="{points}"/></track>'
    image = f'<image id="0" name="00001.png" width="64" height="48">{shapes}</image>'
    (folder / "a.xml").write_text(f"<annotations><meta>{size}</meta>{image}{track}</annotations>")
    return folder / "a.xml"


def yolo(folder):
    (folder / "00000.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0.6 0.6 0.9 0.6 0.9 0.9 7\n")
    return folder / "00000.txt"


def array(folder):
    np.save(folder / "m.npy", np.stack([squares([1, 2])] * 2))
    return folder / "m.npy"


def arrays(folder):
    np.savez(folder / "m.npz", **{"00000": squares([1, 2]), "00001": squares([2])})
    return folder / "m.npz"


def mask_video(folder):
    return write_mask_video(folder / "m.mkv", "ffv1", "gray", ids=([1, 2], [2]))


def zip_file(folder):
    with zipfile.ZipFile(folder / "m.zip", "w") as archive:
        archive.write(write_mask(folder / "x.png", [1, 2]), "00000.png")
    (folder / "x.png").unlink()
    return folder / "m.zip"


NEW_MASKS = [youtube_vis, label_studio, cvat, yolo, array, arrays, mask_video, zip_file, labelme, coco]


def written(path, content):
    path.write_text(json.dumps(content))
    return path


def leaves(content, found):
    """The containers of a JSON value with the keys of their content."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        found.append((content, key))
        if isinstance(value, dict | list):
            leaves(value, found)
    return found


def damage(path, rng):
    """Change bytes, or a value of a JSON file."""
    if path.suffix == ".json" and rng.integers(2):
        content = json.loads(path.read_text())
        for _ in range(int(rng.integers(1, 4))):
            keys = leaves(content, [])
            if keys:
                owner, key = keys[rng.integers(len(keys))]
                owner[key] = copy.deepcopy(ODD[rng.integers(len(ODD))])
        written(path, content)
    else:
        path.write_bytes(damaged(path.read_bytes(), rng))


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
@pytest.mark.parametrize("part", range(10))
def test_damaged_annotations_arrays_and_archives_give_only_one_line_messages(tmp_path, part):
    warnings.simplefilter("ignore")
    clip = write_frames(tmp_path / "clip", ["00000", "00001"])
    for case in range(part * CASES // 10, (part + 1) * CASES // 10):
        rng = np.random.default_rng(CASES + case)
        (tmp_path / str(case)).mkdir()
        mask = NEW_MASKS[case % len(NEW_MASKS)](tmp_path / str(case))
        damage(mask, rng)
        with watched():
            diagnosis = inspect(clip, mask)
            texts = [text for video in diagnosis.videos for text in (*video.problems, *video.notes)]
            assert all(one_line(text) for text in [*texts, *diagnosis.problems]), case
            assert (read_all(clip, mask) is None) == diagnosis.works, case


@pytest.mark.slow
def test_the_console_never_shows_a_stack_trace(tmp_path):
    for case in range(CONSOLE_CASES):
        source, mask = damaged_input(tmp_path / str(case), np.random.default_rng(CASES + case))
        done = vosmem("doctor", str(source), "--mask", str(mask), "--thorough", cwd=tmp_path, check=False)
        assert done.returncode in (0, 1) and "Traceback" not in done.stdout + done.stderr, case
