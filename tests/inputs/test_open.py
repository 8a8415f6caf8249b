"""All layouts of videos and masks on disk."""

import json

import pytest

from tests.inputs.made import write_clip, write_frames, write_mask
from tests.messages import naming
from vosmem.errors import InputError
from vosmem.inputs.open import open_videos


def names(source, mask, **options):
    """Number of frames, object ids and given frames of each video, by name."""
    found = {}
    for item in open_videos(source, mask, **options):
        video = item.open()
        found[item.name] = (len(video), video.object_ids, video.given_at)
    return found


ONE = (3, (1,), (0,))


def frames_in(folder):
    return write_frames(folder, ["00000", "00001", "00002"])


def labelme(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = [{"label": "cat", "points": [[2, 2], [20, 2], [20, 20]], "shape_type": "polygon"}]
    path.write_text(json.dumps({"shapes": shapes, "imageHeight": 48, "imageWidth": 64, "imagePath": "00000.jpg"}))
    return path


def flat_folder_and_mask(root):
    return frames_in(root / "a"), write_mask(root / "m.png", [1])


def flat_folder_and_masks(root):
    return frames_in(root / "a"), write_mask(root / "m" / "00000.png", [1]).parent


def flat_folder_and_masks_below_its_name(root):
    return frames_in(root / "a"), write_mask(root / "m" / "a" / "00000.png", [1]).parent.parent


def flat_folder_and_labelme_files_beside_the_frames(root):
    labelme(root / "a" / "00000.json")
    return frames_in(root / "a"), root / "a"


def flat_folder_and_json(root):
    return frames_in(root / "a"), labelme(root / "m.json")


def video_and_mask(root):
    return write_clip(root / "a.mp4", num_frames=3), write_mask(root / "m.png", [1])


def plain_layout(root):
    frames_in(root / "set" / "JPEGImages" / "a")
    write_mask(root / "set" / "Annotations" / "a" / "00000.png", [1])
    return root / "set", None


def davis_layout(root):
    frames_in(root / "set" / "JPEGImages" / "480p" / "a")
    frames_in(root / "set" / "JPEGImages" / "240p" / "b")
    write_mask(root / "set" / "Annotations" / "480p" / "a" / "00000.png", [1])
    return root / "set", None


def davis_layout_of_another_resolution(root):
    frames_in(root / "set" / "JPEGImages" / "1080p" / "a")
    write_mask(root / "set" / "Annotations" / "1080p" / "a" / "00000.png", [1])
    return root / "set", None


def one_picture(root):
    return write_frames(root, ["a"]) / "a.png", write_mask(root / "m.png", [1])


LAYOUTS = [
    flat_folder_and_mask,
    flat_folder_and_masks,
    flat_folder_and_masks_below_its_name,
    flat_folder_and_labelme_files_beside_the_frames,
    flat_folder_and_json,
    video_and_mask,
    plain_layout,
    davis_layout,
    davis_layout_of_another_resolution,
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_video(tmp_path, layout):
    assert names(*layout(tmp_path)) == {"a": ONE}


def test_one_picture_is_a_video(tmp_path):
    assert names(*one_picture(tmp_path)) == {"a": (1, (1,), (0,))}


def test_pictures_directly_in_jpegimages(tmp_path):
    frames_in(tmp_path / "set" / "JPEGImages")
    write_mask(tmp_path / "set" / "Annotations" / "00000.png", [1])
    assert names(tmp_path / "set", None) == {"set": ONE}


def test_a_folder_of_video_files_and_frame_folders(tmp_path):
    source, masks = tmp_path / "videos", tmp_path / "masks"
    frames_in(source / "v10")
    frames_in(source / "v2")
    write_clip(source / "v3.mp4", num_frames=3)
    write_clip(source / ".hidden.mp4", num_frames=3)
    (source / "notes.txt").write_text("no video")
    (source / "empty").mkdir()
    write_mask(masks / "v10.png", [1])
    write_mask(masks / "v2" / "00000.png", [1])
    labelme(masks / "v3.json")
    assert list(names(source, masks).items()) == [("v2", ONE), ("v3", ONE), ("v10", ONE)]


def test_two_videos_with_one_stem_get_different_names(tmp_path):
    source = tmp_path / "videos"
    frames_in(source / "v")
    write_clip(source / "v.mp4", num_frames=3)
    assert [item.name for item in open_videos(source, None)] == ["v", "v.mp4"]


def test_a_broken_video_does_not_affect_the_others(tmp_path):
    source, masks = tmp_path / "videos", tmp_path / "masks"
    frames_in(source / "a")
    (source / "b.mp4").write_bytes(b"no video")
    frames_in(source / "c")
    write_mask(masks / "a.png", [1])
    write_mask(masks / "b.png", [1])
    good, broken, bare = open_videos(source, masks)
    assert good.open().object_ids == (1,)
    with pytest.raises(InputError, match=naming("b.mp4", "cannot be read")):
        broken.open()
    with pytest.raises(InputError, match=naming("'c'", "--mask")):
        bare.open()


def test_only_first_masks_of_a_data_set_are_used_by_default(tmp_path):
    source, _ = plain_layout(tmp_path)
    assert [item.first_only for item in open_videos(source, None)] == [True]
    assert [item.first_only for item in open_videos(source, source / "Annotations")] == [False]


def empty(root):
    return root


def missing(root):
    return root / "absent"


@pytest.mark.parametrize(("source", "message"), [(empty, "no frames and no videos"), (missing, "'absent'")])
def test_an_empty_or_missing_input_is_rejected(tmp_path, source, message):
    with pytest.raises(InputError, match=naming(message.strip("'"))):
        open_videos(source(tmp_path), None)


def test_one_mask_for_several_videos_is_rejected(tmp_path):
    for name in "ab":
        frames_in(tmp_path / "videos" / name)
    with pytest.raises(InputError, match=naming("m.png", "2 videos")):
        open_videos(tmp_path / "videos", write_mask(tmp_path / "m.png", [1]))


@pytest.mark.parametrize(
    ("mask", "message"), [(None, "no mask"), ("absent.png", "missing"), ("empty", "no mask"), ("m.txt", "no mask")]
)
def test_a_missing_or_invalid_mask_is_rejected(tmp_path, mask, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "m.txt").write_text("no mask")
    (item,) = open_videos(frames_in(tmp_path / "a"), None if mask is None else tmp_path / mask)
    with pytest.raises(InputError, match=naming("a" if mask is None else mask, message)):
        item.open()


def test_max_objects_below_one_is_rejected(tmp_path):
    with pytest.raises(InputError, match=naming("--max-objects 0")):
        open_videos(frames_in(tmp_path / "a"), None, max_objects=0)


def test_videos_are_found_in_a_tree_of_folders(tmp_path):
    root = tmp_path / "data"
    for name in ("day1/cam1", "day1/cam2", "day2/cam1"):
        write_frames(root / "frames" / name, ["0", "1"])
    write_clip(root / "frames" / "day2" / "x.mp4", num_frames=2)
    for name in ("day1/cam1/0", "day1/cam2", "day2/cam1", "day2/x"):
        write_mask(root / "masks" / f"{name}.png", [1])
    for source in (root, root / "frames"):
        videos = {video.name: video for video in open_videos(source, root / "masks")}
        assert list(videos) == ["day1/cam1", "day1/cam2", "day2/cam1", "day2/x"]
        assert all(len(video.open()) == 2 for video in videos.values())


def test_a_folder_without_frames_names_what_it_holds(tmp_path):
    for name in ("a.raw", "b.raw", "c.docx"):
        (tmp_path / name).touch()
    (tmp_path / "inner").mkdir()
    with pytest.raises(
        InputError, match=naming("holds no frames", "2 .raw", "1 .docx", "1 folder", ".png", ".mp4", "zip")
    ):
        open_videos(tmp_path, None)
