"""`vosmem segment` on real video in all supported forms."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.tiny import vosmem as console
from tests.segmentation.made import write_checkpoint
from vosmem.visualization.video import write_video

SEQUENCES = ("blackswan", "bmx-trees", "car-shadow")
FRAMES = 7
OPTIONS = ("--weights", "tiny.ckpt", "--device", "cpu", "--size", "96", "--no-report")


@pytest.fixture(scope="module")
def folder(reference_data, tmp_path_factory) -> Path:
    """The first frames of three sequences in DAVIS layout, as flat folders of JPEG and of PNG, and as mp4."""
    davis, folder = reference_data / "data" / "davis16-half", tmp_path_factory.mktemp("real")
    write_checkpoint(folder / "tiny.ckpt")
    for name in SEQUENCES:
        frames = sorted((davis / "JPEGImages" / "480p" / name).iterdir())[:FRAMES]
        for index in (folder / "davis" / "JPEGImages" / "480p" / name, folder / "jpeg" / name):
            index.mkdir(parents=True)
            for path in frames:
                shutil.copy(path, index)
        annotations = folder / "davis" / "Annotations" / "480p" / name
        annotations.mkdir(parents=True)
        shutil.copy(davis / "Annotations" / "480p" / name / "00000.png", annotations)
        shutil.copy(annotations / "00000.png", folder / f"{name}.png")
        (folder / "png" / name).mkdir(parents=True)
        pictures = [Image.open(path).convert("RGB") for path in frames]
        for path, picture in zip(frames, pictures, strict=True):
            picture.save(folder / "png" / name / f"{path.stem}.png")
        write_video((np.asarray(picture) for picture in pictures), folder / f"{name}.mp4", 24)
    return folder


def masks(out: Path) -> list[np.ndarray]:
    paths = sorted((out / "masks").iterdir())
    assert all(Image.open(path).mode == "P" for path in paths)
    return [np.asarray(Image.open(path)) for path in paths]


@pytest.mark.slow
def test_a_video_is_the_same_in_every_form(folder):
    console("segment", "davis", *OPTIONS, "--output", "of_davis", cwd=folder)
    for name in SEQUENCES:
        for form in (f"jpeg/{name}", f"png/{name}", f"{name}.mp4"):
            out = f"of_{Path(form).parent.name or 'mp4'}/{name}"
            console("segment", form, "--mask", f"{name}.png", *OPTIONS, "--output", out, cwd=folder)
        expected = masks(folder / "of_davis" / name)
        first = np.asarray(Image.open(folder / f"{name}.png"))
        assert len(expected) == FRAMES and np.array_equal(expected[0], first)
        for form in ("jpeg", "png", "mp4"):
            found = masks(folder / f"of_{form}" / name)
            assert len(found) == FRAMES
            for mask, other in zip(found, expected, strict=True):
                assert mask.shape == other.shape and set(np.unique(mask)) <= set(np.unique(first))
                if form != "mp4":  # whose frames went through a lossy codec
                    assert np.array_equal(mask, other)


@pytest.mark.slow
def test_a_box_on_a_video_file(reference_data, folder):
    video = reference_data / "data" / "videos" / "bikes.mp4"
    console("segment", video, "--box", "300,60,420,250", *OPTIONS, "--output", "bikes", cwd=folder)
    found = masks(folder / "bikes")
    assert len(found) == 250 and {mask.shape for mask in found} == {(272, 640)}
    given = np.asarray(Image.open(folder / "bikes" / "first_mask.png"))
    assert np.array_equal(found[0], given) and 0 < given[60:250, 300:420].sum() == given.sum()
    with av.open(folder / "bikes" / "overlay.mp4") as overlay, av.open(video) as source:
        assert overlay.streams.video[0].average_rate == source.streams.video[0].average_rate
