"""A session without a page: drawing, propagating, correcting, downloading, and writing only to its folder."""

import json
import threading
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from tests.app.conftest import COUNT, SIZE, all_ids
from tests.inputs.made import write_clip
from tests.messages import naming
from tests.segmentation.made import RepeatMethod
from vosmem.data.decoding.images import read_image
from vosmem.errors import InputError


def test_a_stroke_sets_the_mask_of_the_frame_and_can_be_undone(session):
    session.draw(2, 1, [(10, 10), (30, 10)], 4)
    session.draw(2, 3, [(60, 30)], 5)
    ids = session.project.ids(2)
    assert session.project.object_ids == (1, 3)
    assert ids[10, 20] == 1 and ids[30, 60] == 3 and ids[40, 10] == 0
    assert (ids == 1).sum() == pytest.approx(20 * 9 + np.pi * 16, rel=0.15)
    changed = (session.project.picture(2) != session.project.frame(2)).any(axis=2)
    assert changed[30, 60] and changed[10, 20] and not changed[40, 10]
    assert session.undo() == 2
    assert session.project.object_ids == (1,)
    session.draw(2, 0, [(20, 10)], 60)
    assert session.project.object_ids == ()
    assert session.undo() == 2 and session.undo() == 2 and session.undo() is None
    assert not session.project.ids(2).any()


def test_forward_and_backward_fill_their_sides_of_the_mask(static):
    static.draw(3, 1, [(20, 20)], 6)
    list(static.propagate("forward"))
    assert static.project.results.done == frozenset(range(3, COUNT))
    list(static.propagate("backward"))
    assert static.project.results.done == frozenset(range(COUNT))
    assert all((ids == static.project.ids(3)).all() for ids in all_ids(static))


def test_another_direction_keeps_objects_that_it_does_not_propagate(static):
    static.draw(0, 1, [(15, 20)], 6)
    list(static.propagate("forward"))
    static.clear(5)
    static.draw(5, 2, [(60, 20)], 6)
    list(static.propagate("backward"))
    assert set(np.unique(static.project.ids(3))) == {0, 1, 2}
    assert set(np.unique(static.project.ids(7))) == {0, 1}  # as it was


def test_propagation_from_a_frame_keeps_earlier_frames_and_uses_the_shown_mask(static):
    static.draw(0, 1, [(20, 20)], 6)
    list(static.propagate("forward"))
    before = all_ids(static)
    static.draw(4, 1, [(50, 20)], 6)  # two blobs now
    static.draw(4, 0, [(20, 20)], 12)  # and one
    assert not (static.project.ids(4) == before[4])[20, 20]
    reports = list(static.propagate("both", start=4))
    after = all_ids(static)
    assert all((after[t] == before[t]).all() for t in range(4))
    assert all((after[t] == after[4]).all() and after[t][20, 50] == 1 and not after[t][20, 20] for t in range(4, COUNT))
    assert reports[-1].done == reports[-1].total == 1 + COUNT - 4  # the first mask is memorised again


def test_results_equal_those_of_the_segmenter(session):
    session.draw(0, 1, [(20, 20)], 6)
    session.draw(0, 2, [(60, 30)], 6)
    list(session.propagate("forward"))
    frames = [session.project.frame(t) for t in range(COUNT)]
    for found in session.segmenter.propagate(frames, session.project.ids(0)):
        assert (found.ids.numpy() == session.project.ids(found.t)).all()
    rows = session.project.results.rows()
    assert [(row.t, row.slot) for row in rows] == [(t, number) for t in range(COUNT) for number in (1, 2)]


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_stopping_keeps_results_and_leaves_no_job(static, direction, monkeypatch):
    static.draw(0, 1, [(20, 20)], 6)
    static.draw(6, 1, [(20, 20)], 6)
    make, gate = static.segmenter.propagator, threading.Event()
    monkeypatch.setattr(static.segmenter, "propagator", lambda **options: gate.wait(20) and make())
    running = static.propagate(direction)
    next(running)
    with pytest.raises(InputError, match="running"):
        static.draw(0, 1, [(1, 1)], 2)
    with pytest.raises(InputError, match="running"):
        next(static.propagate("forward"))
    gate.set()
    running.close()
    assert not static.is_propagating
    assert not (static.project.folder / "backward").exists()
    static.draw(0, 1, [(1, 1)], 2)


def test_a_propagation_whose_progress_is_not_read_can_be_stopped(static):
    static.draw(0, 1, [(20, 20)], 6)
    running = static.propagate("forward")  # as a page that is gone leaves it
    next(running)
    static.stop(wait=20.0)
    assert not static.is_propagating
    static.draw(0, 1, [(1, 1)], 2)


def test_stop_ends_a_slow_propagation_at_the_next_frame(static, monkeypatch):
    gate, seen = threading.Event(), []

    class Slow(RepeatMethod):
        def step(self, frame, mask=None, *, absent=()):
            seen.append(frame)
            if len(seen) == 3:
                gate.wait(20)
            return super().step(frame, mask, absent=absent)

    monkeypatch.setattr(static.segmenter, "propagator", lambda **options: Slow())
    static.draw(0, 1, [(20, 20)], 6)
    for progress in static.propagate("forward"):
        if progress.done == 2:
            static.stop()
            gate.set()
    assert len(seen) == 3
    assert static.project.results.done == {0, 1, 2}


def test_files_for_download(tmp_path, session):
    session.draw(1, 1, [(20, 20)], 6)
    session.draw(1, 4, [(60, 30)], 6)
    list(session.propagate("both"))
    with zipfile.ZipFile(session.masks_file()) as archive:
        assert archive.namelist() == [f"masks/{t:05d}.png" for t in range(COUNT)]
        with archive.open("masks/00001.png") as file:
            assert (np.asarray(Image.open(file)) == session.project.ids(1)).all()
    assert session.overlay_file().stat().st_size > 0
    with zipfile.ZipFile(session.format_file("coco")) as archive:
        assert archive.namelist() == ["coco.json"]
        found = json.loads(archive.read("coco.json"))["annotations"]
    assert {(one["image_id"], one["track_id"]) for one in found if one["image_id"] == 2} == {(2, 1), (2, 4)}
    with zipfile.ZipFile(session.format_file("yolo")) as archive:
        assert {"data.yaml", "labels/00001.txt", "images/00001.jpg"} <= set(archive.namelist())
    with pytest.raises(InputError, match=r"there is no format '\.\./x'"):
        session.format_file("../x")
    page = session.report_file({"weights": "tiny"}).read_text()
    assert "object 4" in page and "tiny" in page
    session.draw(1, 1, [(5, 5)], 3)
    with zipfile.ZipFile(session.masks_file()) as archive, archive.open("masks/00001.png") as file:
        assert np.asarray(Image.open(file))[5, 5] == 1, "the file is older than the last stroke"
    assert not (session.project.results.folder / "coco.zip").exists()


def test_a_mask_file_sets_the_mask_of_the_shown_frame(tmp_path, session):
    assert session.load_masks(tmp_path / "mask" / "m.png", 3) == 3
    assert (session.project.ids(3) == np.asarray(Image.open(tmp_path / "mask" / "m.png"))).all()


def test_a_single_array_is_the_mask_of_the_shown_frame_and_others_are_of_all(session):
    ids = np.zeros((COUNT, *SIZE), np.uint8)
    ids[:, 5:9, 5:9] = 2
    np.save(session.folder / "one.npy", ids[0])
    np.save(session.folder / "all.npy", ids)
    assert session.load_masks(session.folder / "one.npy", 3) == 3
    assert set(session.project.drawn.given) == {3}
    assert session.load_masks(session.folder / "all.npy", 3) == 0
    assert set(session.project.drawn.given) == set(range(COUNT))


def test_a_zip_of_masks_names_their_frames_and_is_unpacked_within_limits(tmp_path, session):
    names = session.project.frames.frame_names
    with zipfile.ZipFile(session.folder / "masks.zip", "w") as archive:
        for t in (2, 5):
            archive.write(tmp_path / "mask" / "m.png", f"masks/{names[t]}.png")
    assert session.load_masks(session.folder / "masks.zip", 0) == 2
    assert set(session.project.drawn.given) == {2, 5}
    with zipfile.ZipFile(session.folder / "bad.zip", "w") as archive:
        archive.writestr("../x.json", "{}")
    with pytest.raises(InputError, match=naming("bad.zip", "leads elsewhere")):
        session.load_masks(session.folder / "bad.zip", 0)


def test_a_video_file_opens_and_closing_deletes_everything(tmp_path, session):
    write_clip(session.folder / "clip.mp4")
    session.open([session.folder / "clip.mp4"])
    assert (session.project.name, len(session.project.frames)) == ("clip", 20)
    session.close()
    assert not session.folder.exists()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda s: s.draw(99, 1, [(1, 1)], 2), ("no frame 99", "0 to 7")),
        (lambda s: s.draw(-1, 1, [(1, 1)], 2), ("no frame -1",)),
        (lambda s: s.draw(0, 21, [(1, 1)], 2), ("no object 21", "1 to 20")),
        (lambda s: s.draw(0, -1, [(1, 1)], 2), ("no object -1",)),
        (lambda s: s.draw(0, 1, [], 2), ("stroke", "draw it again")),
        (lambda s: s.draw(0, 1, [(float("nan"), 1)], 2), ("stroke", "draw it again")),
        (lambda s: s.draw(0, 1, [(1, 1), (2,)], 2), ("stroke", "draw it again")),
        (lambda s: s.draw(0, 1, [(1, 1)], float("inf")), ("stroke",)),
        (lambda s: next(s.propagate("forward")), ("no object is marked", "draw")),
        (lambda s: next(s.propagate("sideways")), ("sideways", "forward, backward, both")),
        (lambda s: next(s.propagate("forward", start=50)), ("no frame 50",)),
        (lambda s: s.masks_file(), ("there are no results", "propagate first")),
        (lambda s: s.load_masks(s.folder / "none.png", 0), ("none.png", "missing")),
    ],
)
def test_invalid_actions_raise_one_line_errors_and_change_nothing(session, step, message):
    with pytest.raises(InputError, match=naming(*message)):
        step(session)
    assert session.project.drawn.given == {} and not session.is_propagating


def test_a_huge_stroke_far_outside_is_clipped(session):
    session.draw(0, 1, [(-1e9, 1e9), (1e9, -1e9)], 1e9)
    assert (session.project.ids(0) == 1).all()


def test_a_bad_upload_leaves_the_video_open(tmp_path, session):
    bad = session.folder / "bad.mp4"
    bad.write_bytes(b"no video")
    entries = len(list(session.folder.iterdir()))
    with pytest.raises(InputError, match=naming("bad.mp4", "cannot be read")):
        session.open([bad])
    assert len(session.project.frames) == COUNT
    assert len(list(session.folder.iterdir())) == entries
    assert (session.project.frame(0) == read_image(tmp_path / "upload" / "00000.png")).all()


def test_a_full_memory_ends_a_propagation_with_advice(session, monkeypatch):
    """As one line on the page, and the session can be used again."""
    network = session.segmenter.network

    def full(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    session.load_masks(session.folder.parent / "mask" / "m.png", 0)
    with monkeypatch.context() as patch:
        patch.setattr(type(network), "encode_query", full)
        with pytest.raises(InputError, match="out of memory: try again when others have finished"):
            list(session.propagate("forward"))
    assert not session.is_propagating
    assert list(session.propagate("forward"))[-1].done == COUNT
