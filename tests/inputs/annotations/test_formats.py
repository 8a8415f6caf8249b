"""Masks of YouTube-VIS, CVAT, Label Studio and YOLO files, all of one scene, and what each format has of its own."""

import json

import numpy as np
import pytest

from tests.inputs.made import write_clip, write_frames
from tests.messages import naming
from vosmem.data.decoding.notes import Decision
from vosmem.errors import InputError
from vosmem.inputs.annotations.label_studio import unpacked_brush
from vosmem.inputs.annotations.masks import AnnotationMasks
from vosmem.inputs.open import open_videos
from vosmem.inputs.picture_frames import PictureFrames

HEIGHT, WIDTH = 48, 64
STEMS = ["f_0001", "f_0002", "f_0003"]
# y0, y1, x0, x1 of two objects; in the last frame their order in the file is reversed.
BOXES = {"cat": (4, 20, 8, 32), "dog": (24, 44, 20, 60)}
ORDERS = [("cat", "dog"), ("cat", "dog"), ("dog", "cat")]


def block(y0, y1, x0, x1):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def corners(y0, y1, x0, x1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def flat(box):
    return [float(number) for corner in corners(*box) for number in corner]


def runs(binary):
    """Lengths of runs, outside first."""
    changes = np.flatnonzero(np.diff(np.r_[0, binary.ravel().astype(int), 2]))
    return np.diff(np.r_[0, changes]).tolist()


def youtube_vis(folder):
    video = {"id": 3, "width": WIDTH, "height": HEIGHT, "length": 3, "file_names": [f"clip/{s}.jpg" for s in STEMS]}
    other = {**video, "id": 4, "file_names": [f"other/{s}.jpg" for s in STEMS]}
    regions = {
        "cat": [[flat(BOXES["cat"])]] * 3,
        "dog": [{"size": [HEIGHT, WIDTH], "counts": runs(block(*BOXES["dog"]).T)}] * 3,
    }
    entries = [
        {"id": 900 + k, "video_id": 3, "category_id": 1, "segmentations": regions[name]}
        for k, name in enumerate(("cat", "dog"))
    ]
    elsewhere = {"id": 1, "video_id": 4, "category_id": 1, "segmentations": [[[0, 0, 9, 0, 9, 9]]] * 3}
    content = {"videos": [other, video], "annotations": [elsewhere, *entries], "categories": []}
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"


def cvat_images(folder, name="images/{}.png"):
    shapes = {"cat": cvat_polygon, "dog": cvat_mask}
    images = "".join(
        f'<image id="{t}" name="{name.format(stem)}" width="{WIDTH}" height="{HEIGHT}">'
        + "".join(shapes[own](own) for own in ORDERS[t])
        + "</image>"
        for t, stem in enumerate(STEMS)
    )
    (folder / "a.xml").write_text(f"<annotations><version>1.1</version>{images}</annotations>")
    return folder / "a.xml"


def cvat_polygon(name, more=""):
    points = ";".join(f"{x}.00,{y}.00" for x, y in corners(*BOXES[name]))
    return f'<polygon label="{name}" points="{points}" z_order="0" {more}></polygon>'


def cvat_mask(name):
    y0, y1, x0, x1 = BOXES[name]
    inside = runs(block(*BOXES[name])[y0 - 2 : y1, x0 - 3 : x1])
    at = f'left="{x0 - 3}" top="{y0 - 2}" width="{x1 - x0 + 3}" height="{y1 - y0 + 2}"'
    return f'<mask label="{name}" rle="{", ".join(map(str, inside))}" {at} z_order="0"></mask>'


def cvat_video(folder):
    tracks = "".join(
        f'<track id="{k}" label="{name}">'
        + "".join(cvat_polygon(name, f'frame="{t}" outside="0" keyframe="{int(t == 0)}"') for t in range(3))
        + f"{cvat_polygon(name, 'frame=' + chr(34) + '2' + chr(34) + ' outside=' + chr(34) + '1' + chr(34))}</track>"
        for k, name in enumerate(("cat", "dog"))
    )
    size = f"<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size>"
    (folder / "a.xml").write_text(f"<annotations><meta><task>{size}</task></meta>{tracks}</annotations>")
    return folder / "a.xml"


def task(stem, results):
    return {"data": {"image": f"/data/upload/1/{stem}.png"}, "annotations": [{"result": results}]}


def region(kind, value, **more):
    return {"id": "x", "type": kind, "original_width": WIDTH, "original_height": HEIGHT, "value": value, **more}


def label_studio(folder):
    points = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in corners(*BOXES["cat"])]
    made = {
        "cat": region("polygonlabels", {"points": points, "polygonlabels": ["cat"]}),
        "dog": region("brushlabels", {"format": "rle", "rle": brush("dog"), "brushlabels": ["dog"]}),
    }
    tasks = [task(f"0a1b2c3d-{stem}", [made[own] for own in order]) for stem, order in zip(STEMS, ORDERS, strict=True)]
    (folder / "a.json").write_text(json.dumps(tasks))
    return folder / "a.json"


def brush(name):
    """A brush mask without repetitions: blocks of 256 literal bytes."""
    values = np.repeat(block(*BOXES[name])[..., None] * np.uint8(255), 4, axis=2).ravel()
    head = f"{values.size:032b}{7:05b}" + "".join(f"{width - 1:04b}" for width in (3, 4, 8, 16))
    blocks = [values[start : start + 256] for start in range(0, values.size, 256)]
    bits = head + "".join(f"0{2:02b}{len(own) - 1:08b}" + "".join(f"{v:08b}" for v in own) for own in blocks)
    return np.packbits([int(bit) for bit in bits]).tolist()


def yolo(folder):
    (folder / "labels").mkdir()
    (folder / "labels" / "classes.txt").write_text("cat\ndog\n")
    for stem, order in zip(STEMS, ORDERS, strict=True):
        lines = [
            f"{list(BOXES).index(own)} "
            + " ".join(f"{x / WIDTH:.6f} {y / HEIGHT:.6f}" for x, y in corners(*BOXES[own]))
            for own in order
        ]
        (folder / "labels" / f"{stem}.txt").write_text("\n".join(lines) + "\n")
    return folder / "labels"


WRITERS = [youtube_vis, cvat_images, cvat_video, label_studio, yolo]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_each_format_gives_the_objects_of_each_frame(tmp_path, write):
    clip = write_frames(tmp_path / "clip", STEMS)
    (found,) = open_videos(clip, write(tmp_path))
    video = found.open()
    assert video.object_ids == (1, 2)
    for t in range(3):
        expected = block(*BOXES["cat"]) + 2 * block(*BOXES["dog"]).astype(int)
        assert np.array_equal(video.given_mask(t).numpy(), expected), (t, video.notes)


def test_tracks_of_cvat_belong_to_the_frames_of_a_video_by_their_index(tmp_path):
    video = open_videos(write_clip(tmp_path / "a.mp4", num_frames=4), cvat_video(tmp_path))[0].open()
    assert [video.given_mask(t) is not None for t in range(4)] == [True, True, True, False]
    assert {Decision.FRAMES_BY_INDEX, Decision.IDS_FROM_ZERO} <= {note.decision for note in video.notes}


def test_a_track_beyond_the_video_is_left_out_with_a_warning(tmp_path):
    clip = write_frames(tmp_path / "clip", STEMS[:2])
    video = open_videos(clip, cvat_video(tmp_path))[0].open()
    (note,) = [note for note in video.notes if note.decision is Decision.ENTRIES_LEFT_OUT]
    assert "2 shapes" in note and "frame 2: the video has no such frame" in note and note.warns


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ('<box label="cat" xtl="10" ytl="10" xbr="30" ybr="20" rotation="90"/>', 200),
        ('<ellipse label="cat" cx="30" cy="20" rx="12" ry="6"/>', 72 * np.pi),
    ],
)
def test_boxes_and_ellipses_of_cvat(tmp_path, shape, area):
    image = f'<image id="0" name="0.png" width="{WIDTH}" height="{HEIGHT}">{shape}</image>'
    (tmp_path / "a.xml").write_text(f"<annotations>{image}</annotations>")
    masks = AnnotationMasks([tmp_path / "a.xml"])
    drawn = masks.read("0").ids > 0
    assert abs(drawn.sum() - area) < 8
    if "box" in shape:
        rows, columns = np.nonzero(drawn)
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 24, 15, 24)
        assert masks.notes[0].decision is Decision.BOXES_DRAWN and masks.notes[0].warns


def test_the_identity_of_a_cvat_shape_is_its_attribute_or_its_group(tmp_path):
    points = ";".join(f"{x},{y}" for x, y in corners(4, 20, 8, 32))
    own = f'<polygon label="a" points="{points}"><attribute name="track_id">7</attribute></polygon>'
    grouped = f'<polygon label="a" group_id="3" points="{points.replace("8,", "40,")}"/>'
    image = f'<image id="0" name="0.png" width="{WIDTH}" height="{HEIGHT}">{own}{grouped}</image>'
    (tmp_path / "a.xml").write_text(f"<annotations>{image}</annotations>")
    assert set(np.unique(AnnotationMasks([tmp_path / "a.xml"]).read("0").ids)) == {0, 1, 7}


def test_brush_masks_equal_those_of_label_studio():
    # The encoder of label-studio-converter 0.0.59 wrote these bytes for the mask below.
    packed = [0, 0, 0, 192, 57, 27, 254, 39, 0, 194, 127, 246, 192, 48, 159, 253, 176, 12, 39, 255, 136, 192, 35, 255]
    mask = np.zeros((6, 8), np.uint8)
    mask[1:4, 2:7] = mask[5, 0] = 255
    assert np.array_equal(unpacked_brush([*packed, 195, 96, 0], 192), np.repeat(mask[..., None], 4, axis=2).ravel())
    for size, expected in ((10, 192), (24, 192), (27, 196)):
        with pytest.raises(ValueError, match="brush mask"):
            unpacked_brush([*packed, 195, 96, 0][:size], expected)


@pytest.mark.parametrize("own", ["", "0a1b2c3d-"])
def test_a_frame_that_is_named_like_an_upload_keeps_its_name(tmp_path, own):
    frames = PictureFrames(write_frames(tmp_path / "clip", [f"{own}a"]))
    points = {"points": [[0, 0], [50, 0], [50, 50]], "polygonlabels": ["cat"]}
    (tmp_path / "a.json").write_text(json.dumps([task("0a1b2c3d-a", [region("polygonlabels", points)])]))
    assert list(AnnotationMasks([tmp_path / "a.json"], frames).stems) == [f"{own}a"]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (region("brushlabels", {"rle": [1, 2, 3]}), "brush mask is cut"),
        (region("brushlabels", {"format": "png"}), "'png' is unknown"),
        (region("polygonlabels", {"points": [[0, 0], [9, 9]]}), "fewer than three corners"),
        (region("polygonlabels", {"points": [[0, 0], [9, 9], [0, 9]]}, image_rotation=90), "turned by 90"),
        (region("polygonlabels", {"points": [[0, 0], [9, 9], [0, 9]]}, original_width=None), "width of an image"),
    ],
)
def test_one_bad_region_of_label_studio_is_left_out(tmp_path, result, reason):
    good = region("rectanglelabels", {"x": 50, "y": 50, "width": 25, "height": 25, "rectanglelabels": ["cat"]})
    (tmp_path / "a.json").write_text(json.dumps([task("0", [result, good])]))
    masks = AnnotationMasks([tmp_path / "a.json"])
    assert masks.read("0").ids.sum() == 16 * 12
    (note,) = [note for note in masks.notes if note.decision is Decision.ENTRIES_LEFT_OUT]
    assert reason in note


def test_two_annotations_of_one_task_are_refused(tmp_path):
    one = task("0", [])
    (tmp_path / "a.json").write_text(json.dumps([{**one, "annotations": one["annotations"] * 2}]))
    with pytest.raises(InputError, match=naming("a.json", "2 annotations")):
        AnnotationMasks([tmp_path / "a.json"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.5 0.5 0.1 0.2", "a box, not an outline"),
        ("0 10 10 30 10 30 30", "outside 0 to 1"),
        ("0 0.1 0.1 0.9 0.1 0.9 0.9 0.87", "invalid literal"),
        ("0 0.1 0.1 nan 0.1 0.9 0.9", "no finite number"),
    ],
)
def test_one_bad_line_of_yolo_is_left_out(tmp_path, line, reason):
    frames = PictureFrames(write_frames(tmp_path / "clip", ["0"]))
    (tmp_path / "0.txt").write_text(f"{line}\n1 0.0 0.0 0.5 0.0 0.5 0.5 0.0 0.5 8\n")
    masks = AnnotationMasks([tmp_path / "0.txt"], frames)
    assert set(np.unique(masks.read("0").ids)) == {0, 8}, "the number after the outline is the track"
    assert reason in masks.notes[0]


def test_a_youtube_vis_file_with_no_video_of_that_name_is_refused(tmp_path):
    frames = PictureFrames(write_frames(tmp_path / "else", STEMS))
    with pytest.raises(InputError, match=naming("a.json", "2 videos", "clip", "else")):
        AnnotationMasks([youtube_vis(tmp_path)], frames)


@pytest.mark.parametrize("content", ["<annotation><object/></annotation>", "<annotations/>", "<a", ""])
def test_other_xml_is_refused(tmp_path, content):
    (tmp_path / "a.xml").write_text(content)
    with pytest.raises(InputError, match=naming("a.xml")):
        AnnotationMasks([tmp_path / "a.xml"])
