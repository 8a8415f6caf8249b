"""Video files of cameras, browsers and recorders: every frame is decoded as players display it, at its rate."""

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.inputs.awkward import (
    ORIENTATIONS,
    quarters,
    write_cut,
    write_dropped,
    write_joined,
    write_oriented,
    write_placeholders,
    write_recorder,
    write_song,
    write_streams,
)
from tests.inputs.made import shade, write_clip
from tests.messages import naming
from vosmem.data.decoding.notes import Decision
from vosmem.errors import InputError
from vosmem.inputs.video_file import VideoFrames

FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="the ffmpeg program is not installed")
NAMES = [
    "2024-11-14T22:57:44.mp4",
    "concat:x.mp4",
    "file:x.mp4",
    "pipe:0",
    "-x.mp4",
    "%03d.mp4",
    "[a].mp4",
    "a*?{1}.mp4",
    "#1 50%.mp4",
]


def ffmpeg(*arguments, cwd):
    subprocess.run([FFMPEG, "-v", "error", "-y", *map(str, arguments)], cwd=cwd, check=True, stdin=subprocess.DEVNULL)


def shades(frames):
    return [shade(frames.frame(t)) for t in range(len(frames))]


def decisions(frames):
    return {note.decision for note in frames.notes}


def test_dropped_frames_of_an_avi_are_not_reported_as_damage(tmp_path):
    frames = VideoFrames(write_dropped(tmp_path / "a.avi"))
    assert shades(frames) == list(range(8))
    assert frames.rate == Fraction(7 * 25, 10)
    assert Decision.RATE_VARIES in decisions(frames)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.ts", "a.flv", "a.avi"])
def test_a_video_that_was_cut_without_encoding_has_the_frames_that_are_left(tmp_path, name):
    frames = VideoFrames(write_cut(tmp_path / name))
    assert shades(frames) == [0, 1, 2, 4]
    assert [shade(frames.frame(t)) for t in (3, 0, 2)] == [4, 0, 2]
    if name == "a.avi":  # holds no times of presentation
        assert (frames.rate, frames.notes) == (25, ())
    else:
        assert "frames are missing before frame 3" in frames.notes[0]


@pytest.mark.parametrize("name", ["a.avi", "a.mp4", "a.mkv"])
def test_packets_without_a_frame_are_no_frames(tmp_path, name):
    frames = VideoFrames(write_placeholders(tmp_path / name))
    assert shades(frames) == list(range(20))
    assert [shade(frames.frame(t)) for t in (19, 3, 11)] == [19, 3, 11]


@needs_ffmpeg
@pytest.mark.parametrize("name", ["x.avi", "x.mkv", "x.mp4"])
def test_packed_b_frames(tmp_path, name):
    source = ("-f", "lavfi", "-i", "testsrc=s=160x96:r=25", "-frames:v", 20)
    ffmpeg(*source, "-c:v", "libxvid", "-bf", 2, "-vtag", "XVID", "x.avi", cwd=tmp_path)
    if name != "x.avi":
        ffmpeg("-fflags", "+genpts", "-i", "x.avi", "-c", "copy", name, cwd=tmp_path)
    ffmpeg("-i", name, "-vsync", "0", "%04d.png", cwd=tmp_path)
    frames = VideoFrames(tmp_path / name)
    shown = sorted(tmp_path.glob("*.png"))
    assert len(frames) == len(shown) and frames.rate == 25
    for t, path in enumerate(shown):
        wanted = np.asarray(Image.open(path).convert("RGB")).astype(int)
        assert np.abs(frames.frame(t).permute(1, 2, 0).numpy() - wanted).mean() < 3


def test_joined_recordings_are_read_one_after_the_other(tmp_path):
    frames = VideoFrames(write_joined(tmp_path / "a.ts"))
    assert shades(frames) == [*range(20), *range(20)]
    assert [shade(frames.frame(t)) for t in (39, 21, 0)] == [19, 1, 0]
    assert frames.rate == 25 and decisions(frames) == {Decision.STAMPS_GO_BACK}
    assert "frame 20" in frames.notes[0]


def test_the_rate_is_computed_from_timestamps(tmp_path):
    frames = VideoFrames(write_recorder(tmp_path / "a.webm"))
    assert len(frames) == 60 and abs(float(frames.rate) - 30.25) < 0.1


@pytest.mark.parametrize(
    ("name", "codec"), [("a.flv", "flv1"), ("a.ts", "mpeg2video"), ("a.wmv", "wmv2"), ("a.mkv", "libx264")]
)
def test_containers_with_coarse_clocks_report_their_nominal_rate(tmp_path, name, codec):
    frames = VideoFrames(write_clip(tmp_path / name, codec))
    assert (len(frames), frames.rate) == (20, 25)


@pytest.mark.parametrize("name", NAMES)
def test_file_names_are_not_read_as_protocols_patterns_or_options(tmp_path, name, monkeypatch):
    write_clip(tmp_path / "clip.mp4", num_frames=4).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert shades(VideoFrames(Path(name))) == [0, 1, 2, 3]


def test_an_animation_may_have_a_pattern_as_its_name(tmp_path):
    write_clip(tmp_path / "clip.gif", "gif", num_frames=4, pixels="rgb8").rename(tmp_path / "%03d.gif")
    assert shades(VideoFrames(tmp_path / "%03d.gif")) == [0, 1, 2, 3]


@pytest.mark.parametrize("matrix", ORIENTATIONS)
def test_each_orientation_of_the_display_matrix(tmp_path, matrix):
    frames = VideoFrames(write_oriented(tmp_path / "a.mp4", matrix))
    wanted = ORIENTATIONS[matrix](quarters()).astype(int)
    shown = frames.frame(1).permute(1, 2, 0).numpy()
    assert shown.shape == wanted.shape and frames.size == wanted.shape[1::-1]
    assert np.abs(shown - wanted).mean() < 6


@needs_ffmpeg
@pytest.mark.parametrize("matrix", ORIENTATIONS)
def test_each_orientation_equals_that_of_ffmpeg(tmp_path, matrix):
    frames = VideoFrames(write_oriented(tmp_path / "a.mp4", matrix))
    ffmpeg("-i", "a.mp4", "-frames:v", 1, "shown.png", cwd=tmp_path)
    wanted = np.asarray(Image.open(tmp_path / "shown.png").convert("RGB")).astype(int)
    assert np.abs(frames.frame(0).permute(1, 2, 0).numpy() - wanted).mean() < 3


def test_a_warning_names_the_video_stream_that_is_used(tmp_path):
    frames = VideoFrames(write_streams(tmp_path / "a.ts", [(64, 48), (96, 64)]))
    assert frames.size == (96, 64) and decisions(frames) == {Decision.STREAM_CHOSEN}
    assert "1 (96x64)" in frames.notes[0] and "0 (64x48)" in frames.notes[0] and frames.notes[0].warns


def test_a_cover_is_not_the_video(tmp_path):
    frames = VideoFrames(write_streams(tmp_path / "a.mp4", [(64, 48), (96, 64)], pictures_only=(1,)))
    assert (frames.size, len(frames), frames.notes) == ((64, 48), 4, ())


def test_an_audio_file_with_a_cover_is_rejected(tmp_path):
    with pytest.raises(InputError, match=naming("a.mp4", "cover")):
        VideoFrames(write_song(tmp_path / "a.mp4"))


@pytest.mark.parametrize("write", [write_clip, write_joined])
def test_only_a_recording_that_is_not_read_is_noted(tmp_path, write):
    for suffix in (".mp4", ".mov") if write is write_clip else (".ts",):
        notes = VideoFrames(write(tmp_path / f"a{suffix}")).notes
        assert Decision.RECORDING_LEFT_OUT not in {note.decision for note in notes}


@pytest.mark.parametrize(("pixels", "bits"), [("gray16le", 16), ("gray12le", 12), ("rgb48le", 16)])
def test_values_of_fewer_bits_than_a_channel_are_scaled_by_their_range(tmp_path, pixels, bits):
    step = 1 << bits - 8  # frame t has the values t, t + 1 and so on, times the step
    shades = (np.arange(16)[None, None] + np.arange(4)[:, None, None]) * step // 16
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, pixels
        for picture in np.repeat(shades, 16, axis=1).astype(np.uint16) << (16 - bits):
            deep = np.repeat(picture[..., None], 3, axis=2) if pixels == "rgb48le" else picture
            frame = av.VideoFrame.from_ndarray(deep, format="rgb48le" if pixels == "rgb48le" else "gray16le")
            container.mux(stream.encode(frame.reformat(format=pixels)))
        container.mux(stream.encode(None))
    frames = VideoFrames(tmp_path / "a.mkv")
    shown = np.stack([frames.frame(t).numpy()[:, 0] for t in range(4)])
    expected = np.rint(shades[:, 0] * 255 / shades.max())
    assert np.abs(shown - expected[:, None]).max() <= 1
    (note,) = frames.notes
    assert note == f"frames have {bits} bits a channel: 0 to {shades.max()} became 0 to 255 in the whole video"
