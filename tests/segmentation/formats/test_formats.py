"""Each format reads back as the masks that were written, with the same ids."""

import json
import tracemalloc
from types import SimpleNamespace
from xml.etree import ElementTree

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from tests.segmentation.made import opened, write_user_video
from vosmem.inputs.open import open_videos
from vosmem.segmentation.formats.label_studio import brush_run_lengths
from vosmem.segmentation.formats.registry import FORMATS
from vosmem.segmentation.frame_files import FrameFiles

IDS, SIZE, NUM_FRAMES = (3, 200), (81, 121), 6


def made_labels():
    """Slots of a large object with a hole that moves, and of a small one in two parts that is missing at times."""
    labels = np.zeros((NUM_FRAMES, *SIZE), np.uint8)
    for t in range(NUM_FRAMES - 1):  # the last frame is empty
        cv2.ellipse(labels[t], (50 + 3 * t, 40), (30, 22), 20, 0, 360, 1, -1)
        cv2.circle(labels[t], (45 + 3 * t, 38), 6, 0, -1)
        if t % 2:
            labels[t, 70:78, 90:110] = labels[t, 20:60, 99:104] = 2
    return labels


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with a video and all formats, next to their slots and ids (T H W)."""
    root = write_user_video(tmp_path_factory.mktemp("formats"), IDS, NUM_FRAMES, SIZE)
    labels, video = made_labels(), opened(root)
    with FrameFiles(root / "out", video, list(FORMATS)) as files:
        for t in range(NUM_FRAMES):
            files.write(t, np.ascontiguousarray(video.frame(t).permute(1, 2, 0).numpy()), labels[t])
    return SimpleNamespace(
        root=root, out=root / "out", ids=np.array([0, *IDS])[labels], frames=[video.frame(t) for t in range(NUM_FRAMES)]
    )


def compare(found, written):
    """Equal masks in frames with objects."""
    assert found.keys() == {t for t in range(NUM_FRAMES) if written.ids[t].any()}
    for t, ids in found.items():
        assert np.array_equal(ids, written.ids[t])


def read_again(written, name):
    """The ids of each frame for which vosmem finds a mask."""
    video = open_videos(written.root / "frames" / "fish", written.out / name)[0].open()
    table = np.array([0, *video.object_ids])
    given = {t: video.given_mask(t) for t in range(NUM_FRAMES)}
    return {t: table[mask.numpy()] for t, mask in given.items() if mask is not None}


def test_all_files_are_there_and_no_partial_ones(written):
    names = {path.name for path in written.out.rglob("*")}
    assert {path.split("/")[-1] for chosen in FORMATS.values() for path in chosen.paths if "{" not in path} <= names
    assert not [name for name in names if name.endswith(".partial")]


@pytest.mark.parametrize("name", ["masks", "coco.json", "cvat.xml", "label_studio.json"])
def test_vosmem_reads_the_masks_and_ids_of_its_own_files(written, name):
    compare(read_again(written, name), written)


def edges(mask, width=1):
    """The pixels that a polygon may change: those at most `width` pixels from another value."""
    mask, side = mask.astype(np.uint16), 2 * width + 1
    return cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((side, side), np.uint8)) > 0


def test_vosmem_reads_its_labelme_files_within_the_tolerance(written):
    found = read_again(written, "labelme")
    assert found.keys() == set(range(NUM_FRAMES - 1))
    for t, ids in found.items():
        assert not ((ids != written.ids[t]) & ~edges(written.ids[t])).any()
        shapes = json.loads((written.out / "labelme" / f"{t:03d}.json").read_text())
        assert (written.out / "labelme" / shapes["imagePath"]).resolve().is_file()
        assert {shape["label"] for shape in shapes["shapes"]} == {"3", "200"} if t % 2 else {"3"}


def test_yolo_lines_are_parts_of_objects_within_the_tolerance(written):
    names = ["3", "200"]
    text = (written.out / "data.yaml").read_text()
    assert text == "train: images\nval: images\nnames:\n  0: '3'\n  1: '200'\n"
    for t in range(NUM_FRAMES):
        ids = np.zeros(SIZE, int)
        lines = (written.out / "labels" / f"{t:03d}.txt").read_text().splitlines()
        assert len(lines) == (0 if t == NUM_FRAMES - 1 else 3 if t % 2 else 1)
        for line in lines:
            slot, *corners = line.split()
            flat = (np.array(corners, float).reshape(-1, 2) * SIZE[::-1]).ravel().tolist()
            region = coco_mask.decode(coco_mask.frPyObjects([flat], *SIZE))[..., 0]
            ids[region > 0] = int(names[int(slot)])
        assert not ((ids != written.ids[t]) & ~edges(written.ids[t])).any()
        with Image.open(written.out / "images" / f"{t:03d}.jpg") as image:
            assert image.size == SIZE[::-1]


def test_youtube_vis_has_a_mask_or_null_for_each_frame_of_each_object(written):
    content = json.loads((written.out / "youtube_vis.json").read_text())
    (video,) = content["videos"]
    assert video["file_names"] == [f"fish/{t:03d}.jpg" for t in range(NUM_FRAMES)]
    assert [annotation["id"] for annotation in content["annotations"]] == list(IDS)
    for annotation in content["annotations"]:
        for t in range(NUM_FRAMES):
            expected = written.ids[t] == annotation["id"]
            found = annotation["segmentations"][t]
            if not expected.any():
                assert found is annotation["bboxes"][t] is annotation["areas"][t] is None
            else:
                assert np.array_equal(coco_mask.decode(found), expected)
                assert annotation["areas"][t] == expected.sum()
                assert annotation["bboxes"][t] == list(cv2.boundingRect(expected.astype(np.uint8)))


def test_cvat_holds_run_lengths_of_boxes_and_the_id_as_group(written):
    root = ElementTree.parse(written.out / "cvat.xml").getroot()
    assert [label.text for label in root.iter("name")] == ["fish", "object", "track_id"]
    images = root.findall("image")
    assert [(image.get("id"), image.get("name")) for image in images] == [
        (str(t), f"{t:03d}.jpg") for t in range(NUM_FRAMES)
    ]
    for image, expected in zip(images, written.ids, strict=True):
        ids = np.zeros(SIZE, int)
        for mask in image:
            left, top, width, height = (int(mask.get(name)) for name in ("left", "top", "width", "height"))
            lengths = [int(length) for length in mask.get("rle").split(", ")]
            inside = np.repeat(np.arange(len(lengths)) % 2, lengths).reshape(height, width)
            ids[top : top + height, left : left + width][inside > 0] = int(mask.get("group_id"))
        assert np.array_equal(ids, expected)


def decode_brush(values):
    """Label Studio's run lengths, bit by bit."""
    text, position = "".join(f"{value:08b}" for value in values), 0

    def read(width):
        nonlocal position
        position += width
        return int(text[position - width : position], 2)

    count, width = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    out = []
    while len(out) < count:
        repeated, length = read(1), None
        length = read(sizes[read(2)]) + 1
        out += [read(width)] * length if repeated else [read(width) for _ in range(length)]
    return np.array(out).reshape(*SIZE, 4)


def test_label_studio_has_a_task_for_each_frame(written):
    tasks = json.loads((written.out / "label_studio.json").read_text())
    assert len(tasks) == NUM_FRAMES
    labels = [label.get("value") for label in ElementTree.parse(written.out / "label_studio.xml").iter("Label")]
    assert labels == ["3", "200"]
    for t, task in enumerate(tasks):
        assert task["data"]["image"] == f"/data/local-files/?d=images/{t:03d}.jpg"
        ids = np.zeros(SIZE, int)
        for result in task["predictions"][0]["result"]:
            assert (result["original_height"], result["original_width"]) == SIZE
            ids[decode_brush(result["value"]["rle"])[..., 3] == 255] = int(result["value"]["brushlabels"][0])
        assert np.array_equal(ids, written.ids[t])


def test_long_runs_of_label_studio_are_split():
    mask = np.zeros((600, 400), np.uint8)
    mask[300:] = 1
    label_studio = pytest.importorskip("label_studio_sdk.converter.brush")
    found = label_studio.decode_rle(brush_run_lengths(mask)).reshape(600, 400, 4)
    assert np.array_equal(found[..., 0], 255 * mask)


def test_objects_and_cut_outs_are_exact(written):
    for t in range(NUM_FRAMES):
        for object_id in IDS:
            with Image.open(written.out / "objects" / str(object_id) / f"{t:03d}.png") as picture:
                assert np.array_equal(picture, np.where(written.ids[t] == object_id, 255, 0))
        with Image.open(written.out / "cutouts" / f"{t:03d}.png") as picture:
            rgba = np.asarray(picture)
        inside = written.ids[t] > 0
        assert np.array_equal(rgba[..., 3], np.where(inside, 255, 0))
        frame = written.frames[t].permute(1, 2, 0).numpy()
        assert np.array_equal(rgba[..., :3], np.where(inside[..., None], frame, 0))


def decode(path, layout, decoder=None):
    """The frames of a video at the size of the masks."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = av.CodecContext.create(decoder or stream.codec_context.name, "r")
        context.extradata = stream.codec_context.extradata
        pictures = [frame for packet in container.demux(stream) for frame in context.decode(packet)]
        assert stream.average_rate == 24
    return [picture.to_ndarray(format=layout)[: SIZE[0], : SIZE[1]] for picture in pictures]


@pytest.mark.parametrize(
    ("name", "decoder", "margin"), [("cutout.mov", None, 0), ("cutout.webm", "libvpx-vp9", 1), ("matte.mp4", None, 0)]
)
def test_videos_have_the_masks_as_transparency_or_as_grey(written, name, decoder, margin):
    """The web's compression may move the edge of a mask by one pixel."""
    layout = "gray" if name == "matte.mp4" else "rgba"
    frames = decode(written.out / name, layout, decoder)
    assert len(frames) == NUM_FRAMES
    for found, ids in zip(frames, written.ids, strict=True):
        inside = (found if layout == "gray" else found[..., 3]) > 127
        wrong = inside != (ids > 0)
        assert not (wrong & ~edges(ids > 0)).any() if margin else not wrong.any()


def test_the_green_screen_keeps_objects_and_is_green_elsewhere(written):
    frames = decode(written.out / "green_screen.mp4", "rgb24")
    for found, ids, frame in zip(frames, written.ids, written.frames, strict=True):
        background = ~edges(ids > 0) & (ids == 0)
        assert np.abs(found[background].astype(int) - (0, 255, 0)).mean() < 10
        inside = ~edges(ids > 0) & (ids > 0)
        if inside.any():
            error = np.abs(found.astype(int) - frame.permute(1, 2, 0).numpy())[inside].mean()
            assert error < 20  # colour has half the resolution, and the frames are noise


def test_colours_around_cut_outs_end_after_a_margin(written):
    (frame, *_), ids = decode(written.out / "cutout.mov", "rgba"), written.ids[0]
    near = cv2.dilate((ids > 0).astype(np.uint8), np.ones((17, 17), np.uint8)) > 0
    assert frame[..., :3][~cv2.dilate(near.astype(np.uint8), np.ones((33, 33), np.uint8)).astype(bool)].max() < 8
    ring = near & (ids == 0)
    original = written.frames[0].permute(1, 2, 0).numpy()
    assert np.abs(frame[..., :3].astype(int) - original)[ring].mean() < 3


@pytest.mark.parametrize("name", ["coco", "youtube-vis", "cvat", "label-studio"])
def test_files_are_written_in_bounded_memory(written, tmp_path, name):
    video = opened(written.root)
    video.frame_names = [f"{t:05d}" for t in range(80)]
    labels, frame = made_labels()[1], np.zeros((*SIZE, 3), np.uint8)
    with FORMATS[name](tmp_path, video) as writer:
        for t in range(80):
            if t == 40:
                tracemalloc.start()
            writer.add(t, frame, labels)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert kept < 30_000  # less than a tenth of what 40 frames take in the file
    assert not list(tmp_path.glob("*.partial"))


def test_an_error_leaves_no_file(written, tmp_path):
    def fail():
        with FrameFiles(tmp_path, opened(written.root), list(FORMATS)) as files:
            files.write(0, np.zeros((*SIZE, 3), np.uint8), made_labels()[0])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    single = {path for chosen in FORMATS.values() for path in chosen.paths if "{" not in path}
    assert not single & {path.name for path in tmp_path.iterdir()}
    assert not list(tmp_path.glob(".*"))
