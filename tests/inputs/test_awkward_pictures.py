"""Folders and pictures as written by microscopes, thermal cameras, phones and annotation tools."""

import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.inputs.made import STEP, shade, squares, write_clip, write_frames, write_mask
from tests.messages import naming
from vosmem.data.decoding.notes import Decision
from vosmem.errors import InputError
from vosmem.inputs.doctor import inspect
from vosmem.inputs.open import open_videos
from vosmem.inputs.picture_frames import PictureFrames

COUNT = 6


def pages(count=COUNT):
    return [Image.new("RGB", (64, 48), (STEP * t,) * 3) for t in range(count)]


def write_stack(path, pictures=None, **options):
    first, *others = pages() if pictures is None else pictures
    first.save(path, save_all=True, append_images=others, **options)
    return path


def ramp(scale=1, offset=0, kind=np.uint16):
    """A grey ramp of 256 steps: `scale` per step, from `offset`."""
    return (np.arange(48 * 64).reshape(48, 64) % 256 * scale + offset).astype(kind)


def write_numbers(folder, arrays, suffix=".png"):
    folder.mkdir()
    for t, array in enumerate(arrays):
        path = folder / f"{t}{suffix}"
        assert cv2.imwrite(str(path), array)
    return folder


def works(source, mask):
    """Whether a run reads every frame, and whether the doctor expects it."""
    diagnosis = inspect(source, mask)
    try:
        for video in open_videos(source, mask):
            opened = video.open()
            for t in range(len(opened)):
                opened.frame(t)
    except InputError:
        return False, diagnosis.works
    return True, diagnosis.works


def decisions(source):
    return {note.decision for note in source.notes}


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.webp"])
@pytest.mark.parametrize("in_folder", [False, True])
def test_all_pages_of_a_file_are_its_frames(tmp_path, name, in_folder):
    options = {} if name == "a.tif" else {"duration": 40, "lossless": True} if name == "a.webp" else {"duration": 40}
    path = write_stack(tmp_path / name, **options)
    frames = PictureFrames(tmp_path if in_folder else path)
    assert [shade(frames.frame(t)) for t in (5, 0, 1, 2, 3, 4)] == [5, 0, 1, 2, 3, 4]
    assert list(frames.frame_names[:2]) == ["00000", "00001"]
    assert decisions(frames) == {Decision.PAGES_ARE_FRAMES}
    assert frames.rate == (None if name == "a.tif" else 25)


def test_the_default_image_of_an_animation_is_no_frame(tmp_path):
    frames = PictureFrames(write_stack(tmp_path / "a.png", duration=40, default_image=True))
    assert [shade(frames.frame(t)) for t in range(len(frames))] == [1, 2, 3, 4, 5]


def test_a_thumbnail_page_is_no_frame(tmp_path):
    copy = Image.new("RGB", (16, 12))
    copy.encoderinfo = {"tiffinfo": {254: 1}}
    frames = PictureFrames(write_stack(tmp_path / "a.tif", [Image.new("RGB", (64, 48), (80,) * 3), copy]))
    assert (len(frames), shade(frames.frame(0))) == (1, 20) and decisions(frames) == {Decision.PAGES_LEFT_OUT}


def test_previews_in_jpeg_files_are_no_frames(tmp_path):
    first, other = pages(2)
    first.save(tmp_path / "0.jpg", format="MPO", save_all=True, append_images=[other.resize((32, 24))])
    assert len(PictureFrames(tmp_path)) == 1


def test_a_stack_among_frames_is_rejected(tmp_path):
    write_frames(tmp_path / "clip", ["0", "1"], suffix=".tif")
    write_stack(tmp_path / "clip" / "2.tif")
    mask = write_mask(tmp_path / "m.png", [1])
    assert works(tmp_path / "clip", mask) == (False, False)
    assert "holds 6 pictures" in inspect(tmp_path / "clip", mask).videos[0].problems[0]


def test_a_stack_of_channels_is_rejected(tmp_path):
    description = "ImageJ=1.11a\nimages=6\nchannels=2\nframes=3\nhyperstack=true"
    with pytest.raises(InputError, match=naming("a.tif", "2 channels or slices")):
        PictureFrames(write_stack(tmp_path / "a.tif", tiffinfo={270: description}))


@pytest.mark.parametrize("name", ["m.tif", "m.png"])
def test_pages_of_a_mask_are_the_masks_of_the_frames(tmp_path, name):
    pictures = [Image.fromarray(squares([1, 2] if t < 3 else [2])) for t in range(COUNT)]
    for t, picture in enumerate(pictures):
        picture.putpixel((0, 0), t % 3)  # PNG joins equal pages
    mask = write_stack(tmp_path / name, pictures)
    clip = write_frames(tmp_path / "clip", [f"f{t}" for t in range(COUNT)])
    (video,) = inspect(clip, mask).videos
    assert [record.t for record in video.records] == list(range(COUNT)) and not video.problems
    assert Decision.MASK_PAGES in {note.decision for note in video.notes}
    write_frames(clip, ["f6"])
    assert "6 pages and the video 7 frames" in inspect(clip, mask).videos[0].problems[0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(
    ("scale", "offset"), [(4, 0), (16, 0), (64, 0), (257, 0), (8, 7000)], ids=["10", "12", "14", "16", "thermal"]
)
@pytest.mark.parametrize("colours", [False, True], ids=["grey", "colours"])
def test_intensities_of_more_than_8_bits_keep_their_shades(tmp_path, suffix, scale, offset, colours):
    array = ramp(scale, offset)
    array = np.stack([array, offset + (array - offset) // 2, array], axis=2) if colours else array
    frames = PictureFrames(write_numbers(tmp_path / "clip", [array, array], suffix))
    shown = frames.frame(1).permute(1, 2, 0).numpy()
    if not colours:
        np.testing.assert_array_equal(shown, np.repeat(ramp(kind=np.uint8)[..., None], 3, axis=2))
    assert len(np.unique(shown[..., 0])) > 150
    (note,) = frames.notes
    assert note.decision is Decision.RANGE_SCALED and note.warns


def test_one_intensity_range_is_used_for_the_whole_video(tmp_path):
    frames = PictureFrames(write_numbers(tmp_path / "clip", [ramp(4), ramp(16)]))
    assert (frames.frame(0).max(), frames.frame(1).max()) == (64, 255)


def test_an_outlier_does_not_change_the_intensity_range(tmp_path):
    arrays = [np.tile(ramp(4, 7000), (4, 4)) for _ in range(2)]
    arrays[1][0, 0] = 65535
    frames = PictureFrames(write_numbers(tmp_path / "clip", arrays))
    assert len(np.unique(frames.frame(0).numpy())) > 250


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_floats_are_scaled_and_the_doctor_agrees(tmp_path, value):
    arrays = [ramp(1 / 255, kind=np.float32) for _ in range(2)]
    arrays[0][:2] = value
    source = write_numbers(tmp_path / "clip", arrays, ".tif")
    mask = write_mask(tmp_path / "m.png", [1])
    assert works(source, mask) == (True, True)
    np.testing.assert_array_equal(PictureFrames(source).frame(1)[0].numpy(), ramp(kind=np.uint8))


def test_frames_without_a_finite_number_are_rejected_by_run_and_doctor(tmp_path):
    source = write_numbers(tmp_path / "clip", [np.full((48, 64), np.nan, np.float32)], ".tif")
    assert works(source, write_mask(tmp_path / "m.png", [1])) == (False, False)


def test_frames_of_different_bit_depths_are_rejected_by_run_and_doctor(tmp_path):
    source = write_numbers(tmp_path / "clip", [ramp(1, kind=np.uint8), ramp(16)])
    assert works(source, write_mask(tmp_path / "m.png", [1])) == (False, False)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"])
def test_the_doctor_and_a_run_agree_on_every_kind_of_pixel(tmp_path, mode):
    mask = write_mask(tmp_path / "m.png", [1])
    clip = tmp_path / "clip"
    clip.mkdir()
    grey = Image.fromarray(ramp(kind=np.uint8))
    picture = Image.fromarray(ramp(3)) if mode == "I;16" else grey if mode == "L" else None
    if picture is None:
        between = {"LA": "RGBA", "PA": "P", "I": "L", "F": "L"}.get(mode, "RGB")
        picture = Image.new("LAB", grey.size) if mode == "LAB" else grey.convert(between).convert(mode)
    picture.save(clip / "0.tif")
    run, expected = works(clip, mask)
    assert run == expected


def test_exif_rotation_is_read_from_every_frame(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    for t, picture in enumerate(pages(4)):
        picture.save(tmp_path / f"{t}.jpg", exif=turned if t > 1 else Image.Exif())
    (note,) = PictureFrames(tmp_path).notes
    assert note.decision is Decision.EXIF_IGNORED and "2 of 4 frames (2.jpg, 3.jpg)" in note


@pytest.mark.parametrize(
    "name", ["1_mask", "0-mask", "1.mask", "mask", "1_seg", "poster", "1_thumb", "mask_1", "labels2"]
)
def test_masks_and_posters_among_frames_are_no_frames(tmp_path, name):
    write_frames(tmp_path, ["0", "1", "2"])
    write_mask(tmp_path / f"{name}.png", [1])
    frames = PictureFrames(tmp_path)
    assert list(frames.frame_names) == ["0", "1", "2"]
    assert decisions(frames) == {Decision.NO_FRAMES_BY_NAME} and name in frames.notes[0]


@pytest.mark.parametrize("stems", [["mask"], ["mask_1", "mask_2"], ["0_mask", "1_mask"], ["unmask", "0"]])
def test_frames_whose_names_resemble_masks_are_kept(tmp_path, stems):
    assert sorted(PictureFrames(write_frames(tmp_path, stems)).frame_names) == sorted(stems)


def test_the_given_mask_is_no_frame(tmp_path):
    clip = write_frames(tmp_path / "clip", ["0", "1", "2"])
    (video,) = inspect(clip, write_mask(clip / "object.png", [1])).videos
    assert video.num_frames == 3 and Decision.MASK_AMONG_FRAMES in {note.decision for note in video.notes}


def test_notes_name_other_files_and_folders(tmp_path):
    write_frames(tmp_path, ["0", "1"])
    write_mask(tmp_path / "masks" / "0.png", [1])
    for name in ("2.cr2", "notes.txt"):
        (tmp_path / name).write_text("no picture")
    files, folders = PictureFrames(tmp_path).notes
    assert (files.decision, folders.decision) == (Decision.FILES_LEFT_OUT, Decision.FOLDERS_LEFT_OUT)
    assert "2.cr2" in files and "notes.txt" not in files and "masks" in folders


def test_a_poster_next_to_a_video_does_not_hide_the_video(tmp_path):
    (tmp_path / "videos").mkdir()
    write_clip(tmp_path / "videos" / "a.mp4", num_frames=4)
    Image.new("RGB", (64, 48)).save(tmp_path / "videos" / "a.png")
    (video,) = inspect(tmp_path / "videos", write_mask(tmp_path / "m.png", [1])).videos
    assert (video.name, video.num_frames) == ("a", 4)
    assert Decision.PICTURES_BESIDE_VIDEOS in {note.decision for note in video.notes}


def test_frames_next_to_a_video_file_are_rejected_as_ambiguous(tmp_path):
    clip = write_frames(tmp_path / "clip", ["0", "1"])
    write_clip(clip / "a.mp4", num_frames=4)
    with pytest.raises(InputError, match=naming("2 pictures", "1 video", "a.mp4", "name the video file")):
        open_videos(clip, None)


def test_a_note_names_the_chosen_resolution(tmp_path):
    for resolution in ("480p", "1080p"):
        write_frames(tmp_path / "JPEGImages" / resolution / "cat", ["0"])
    (video,) = open_videos(tmp_path, None)
    assert [note.decision for note in video.notes] == [Decision.RESOLUTION_CHOSEN] and "1080p not" in video.notes[0]


@pytest.mark.parametrize(("suffix", "options"), [(".heic", {"quality": -1}), (".jp2", {})])
def test_heic_and_jpeg_2000_are_frames(tmp_path, suffix, options):
    if suffix == ".heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    (tmp_path / "clip").mkdir()
    for t in range(3):
        Image.new("RGB", (64, 48), (40 * t,) * 3).save(tmp_path / "clip" / f"{t}{suffix}", **options)
    frames = PictureFrames(tmp_path / "clip")
    assert (len(frames), frames.size) == (3, (64, 48))
    assert [round(float(frames.frame(t).float().mean())) for t in range(3)] == [0, 40, 80]


def test_heic_without_its_package_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "0.heic").touch()
    with pytest.raises(InputError, match=naming("0.heic", "vosmem[heif]")):
        PictureFrames(tmp_path / "0.heic")
