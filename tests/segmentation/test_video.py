"""Segmenting a video: complete results in each direction, made once, up to an unreadable frame."""

import html
import json
from dataclasses import replace

import av
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from tests.segmentation.made import SIZE, RepeatMethod, opened, repeatable, write_user_video
from vosmem.errors import InputError
from vosmem.inputs.open import open_videos
from vosmem.segmentation.frame_files import SegmentOptions
from vosmem.segmentation.video import segment_video

CPU = torch.device("cpu")
EVERYTHING = SegmentOptions(write=("overlay", "report", "probabilities", "objects", "coco"))


def segment(video, folder, options=EVERYTHING, about=None, **more):
    return segment_video(
        video, RepeatMethod, CPU, folder, options, about or {"network": "repeat"}, {"source": "here"}, **more
    )


def files(folder):
    return {str(path.relative_to(folder)): repeatable(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with a video of two objects, one of which appears late, and all its results in `out`."""
    root = write_user_video(tmp_path_factory.mktemp("whole"), given=(0, 2), palette=list(range(255, 0, -1)))
    first = np.array(Image.open(root / "masks" / "fish" / "000.png"))
    image = Image.fromarray(np.where(first == 3, 3, 0).astype(np.uint8))
    image.putpalette(list(range(255, 0, -1)))
    image.save(root / "masks" / "fish" / "000.png")
    segment(opened(root), root / "out")
    return root


def test_masks_have_ids_size_and_palette_of_the_input(whole):
    given = {stem: Image.open(whole / "masks" / "fish" / f"{stem}.png") for stem in ("000", "002")}
    for t in range(5):
        with Image.open(whole / "out" / "masks" / f"{t:03d}.png") as mask:
            assert mask.mode == "P" and mask.size == SIZE[::-1]
            assert mask.getpalette()[: 3 * 85] == given["000"].getpalette()[: 3 * 85]
            expected = set(np.unique(given["000" if t < 2 else "002"]))
            assert set(np.unique(np.asarray(mask))) == expected
    assert expected == {0, 3, 200}


def test_all_formats_of_the_masks_agree(whole):
    out = whole / "out"
    coco = json.loads((out / "coco.json").read_text())
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    decoded = {(names[a["image_id"]], a["track_id"]): coco_mask.decode(a["segmentation"]) for a in coco["annotations"]}
    for t in range(5):
        mask = np.asarray(Image.open(out / "masks" / f"{t:03d}.png"))
        with np.load(out / "probabilities" / f"{t:03d}.npz") as soft:
            assert np.array_equal(soft["ids"][soft["probs"].argmax(axis=0)], mask)
        for number in (3, 200):
            silhouette = np.asarray(Image.open(out / "objects" / str(number) / f"{t:03d}.png"))
            assert np.array_equal(silhouette, np.where(mask == number, 255, 0))
            found = decoded.get((f"{t:03d}.jpg", number), np.zeros(SIZE, np.uint8))
            assert np.array_equal(found, mask == number)


def test_annotations_can_be_given_as_masks(whole):
    again = open_videos(whole / "frames" / "fish", whole / "out" / "coco.json")[0].open()
    assert again.object_ids == (3, 200)
    assert np.array_equal(np.array([0, 3, 200])[again.given_mask(4)], Image.open(whole / "out" / "masks" / "004.png"))


def test_the_overlay_has_every_frame_at_an_even_size(whole):
    with av.open(str(whole / "out" / "overlay.mp4")) as container:
        assert container.streams.video[0].average_rate == 24
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 5 and frames[0].shape == (34, 48, 3)


def test_tables_name_frames_and_objects(whole):
    table = pd.read_csv(whole / "out" / "objects.csv", dtype={"frame": str})
    assert list(zip(table["frame"], table["object"], strict=True)) == [
        *[("000", 3), ("001", 3)],
        *[(f"{t:03d}", number) for t in range(2, 5) for number in (3, 200)],
    ]
    for row in table.itertuples():
        mask = np.asarray(Image.open(whole / "out" / "masks" / f"{row.frame}.png"))
        assert row.area == (mask == row.object).sum() and not row.lost
    assert list(table["memory_frames"]) == [1, 2, 3, 3, 4, 4, 5, 5]
    checks = pd.read_csv(whole / "out" / "frames_to_check.csv", dtype={"frame": str})
    assert list(checks.columns) == ["t", "frame", "object", "reason", "entropy"] and len(checks)


def test_the_record_lists_what_the_results_depend_on(whole):
    record = json.loads((whole / "out" / "run.json").read_text())
    assert record["finished"] and record["about"]["network"] == "repeat" and record["source"] == "here"
    assert record["about"]["input"]["masks_used"] == ["000.png", "002.png"]
    assert record["timings"]["memory_mb_peak"] == 1 and record["versions"]["torch"] == torch.__version__.split("+")[0]


def test_complete_results_are_kept_and_not_overwritten(whole):
    before = files(whole / "out")
    assert segment(opened(whole), whole / "out").skipped
    for options, about in ((replace(EVERYTHING, direction="both"), None), (EVERYTHING, {"network": "another"})):
        with pytest.raises(InputError, match="name another output folder"):
            segment(opened(whole), whole / "out", options, about)
    assert files(whole / "out") == before


@pytest.mark.parametrize("name", ["masks/003.png", "probabilities/001.npz", "objects.csv", "report.html"])
def test_removed_results_of_the_network_are_made_again(tmp_path, name):
    root = write_user_video(tmp_path / "in")
    segment(opened(root), tmp_path / "out")
    (tmp_path / "out" / name).unlink()
    assert not segment(opened(root), tmp_path / "out").skipped and (tmp_path / "out" / name).is_file()


def test_formats_are_added_to_finished_results_without_the_network(whole, tmp_path, monkeypatch):
    segment(opened(whole), tmp_path, SegmentOptions(write=("report", "probabilities")))
    monkeypatch.setattr(RepeatMethod, "step", None)
    assert segment(opened(whole), tmp_path).skipped
    before, after = files(whole / "out"), files(tmp_path)
    changing = ("run.json", "report.html")  # with the overlay, and with times
    assert {name: before[name] for name in before if name not in changing} == {
        name: after[name] for name in after if name not in changing
    }
    (tmp_path / "objects" / "200" / "004.png").unlink()
    segment(opened(whole), tmp_path)
    assert files(tmp_path) == after


def test_unknown_formats_are_refused():
    with pytest.raises(InputError, match=r"'mask' cannot be written: use masks, overlay, .*report"):
        SegmentOptions(write=("mask",))


def test_notes_are_in_the_record_and_in_the_report(tmp_path):
    root = write_user_video(tmp_path / "in", given=(2,))
    result = segment(opened(root), tmp_path / "out")
    (note,) = [note for note in result.notes if note.warns]
    assert note in json.loads((tmp_path / "out" / "run.json").read_text())["notes"]
    assert f'<li class="warn">{html.escape(note)}</li>' in (tmp_path / "out" / "report.html").read_text()
    assert segment(opened(root), tmp_path / "out").notes == result.notes  # also where nothing is made again


def test_files_of_the_user_are_not_overwritten(whole, tmp_path):
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match=r"masks' exists and was not written by"):
        segment(opened(whole), tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "masks"]


def test_only_requested_files_are_written(whole, tmp_path):
    segment(opened(whole), tmp_path, SegmentOptions(write=("masks",)))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"masks", "objects.csv", "frames_to_check.csv", "run.json"}


def test_wide_ids_are_written_as_16_bit_grey(tmp_path):
    root = write_user_video(tmp_path, ids=(7, 300), num_frames=2)
    segment(opened(root), tmp_path / "out")
    with Image.open(tmp_path / "out" / "masks" / "001.png") as mask:
        assert mask.mode.startswith("I") and set(np.unique(np.asarray(mask))) == {0, 7, 300}
    with np.load(tmp_path / "out" / "probabilities" / "001.npz") as soft:
        assert soft["ids"].tolist() == [0, 7, 300]
    assert (tmp_path / "out" / "objects" / "300" / "001.png").is_file()


@pytest.mark.parametrize(("direction", "masked", "rows"), [("forward", 2, 2), ("backward", 4, 4), ("both", 5, 5)])
def test_directions(tmp_path, direction, masked, rows):
    root, seen = write_user_video(tmp_path, ids=(9,), given=(3,)), []
    segment(opened(root), tmp_path / "out", SegmentOptions(direction=direction), on_progress=seen.append)
    masks = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "out" / "masks").iterdir())]
    assert len(masks) == 5 and sum(mask.any() for mask in masks) == masked
    assert len(pd.read_csv(tmp_path / "out" / "objects.csv")) == rows
    assert not (tmp_path / "out" / ".backward").exists()
    done = [progress.done for progress in seen]
    assert done == sorted(set(done)) and done[-1] == seen[-1].total == (5 if direction == "forward" else 10)


def test_results_before_an_unreadable_frame_are_kept(tmp_path):
    root = write_user_video(tmp_path, palette=list(range(255, 0, -1)))
    broken = root / "frames" / "fish" / "003.png"
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"003\.png"):
        segment(opened(root), tmp_path / "out")
    names = {path.stem for path in (tmp_path / "out" / "masks").iterdir()}
    assert names == {"000", "001", "002"}
    assert set(pd.read_csv(tmp_path / "out" / "objects.csv")["t"]) == {0, 1, 2}
    with av.open(str(tmp_path / "out" / "overlay.mp4")) as container:
        assert len(list(container.decode(video=0))) == 3
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert not record["finished"] and "003.png" in record["error"]

    broken.write_bytes(content)
    segment(opened(root), tmp_path / "out")
    segment(opened(root), tmp_path / "fresh")
    mended, fresh = files(tmp_path / "out"), files(tmp_path / "fresh")
    changing = ("run.json", "report.html")  # which hold times
    assert {name: mended[name] for name in mended if name not in changing} == {
        name: fresh[name] for name in fresh if name not in changing
    }


def test_a_write_error_stops_the_run_and_leaves_no_partial_file(tmp_path, monkeypatch):
    root = write_user_video(tmp_path)

    def full_disk(path, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vosmem.segmentation.frame_files.write_probabilities", full_disk)
    with pytest.raises(OSError, match="No space left"):
        segment(opened(root), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"run.json", "masks", "objects"}
    for path in (tmp_path / "out").rglob("*.png"):
        assert Image.open(path).getextrema()[1] > 0
    assert not json.loads((tmp_path / "out" / "run.json").read_text())["finished"]
