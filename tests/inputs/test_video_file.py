"""Video files: every frame can be read by its index, in any order, from each container."""

from fractions import Fraction

import numpy as np
import pytest

from tests.inputs.made import shade, write_clip
from tests.messages import naming
from vosmem.errors import InputError
from vosmem.inputs.video_file import VideoFrames

CLIPS = {
    "h264.mp4": {"codec": "libx264", "g": 6},
    "open_gop.mp4": {"codec": "libx264", "g": 6, "x264-params": "open-gop=1:bframes=3"},
    "h264.avi": {"codec": "libx264", "g": 6},
    "h264.ts": {"codec": "libx264", "g": 6},
    "h264.mkv": {"codec": "libx264", "g": 6},
    "raw.h264": {"codec": "libx264", "g": 6},
    "mpeg4.avi": {"codec": "mpeg4", "qmin": 1, "qmax": 2},
    "mjpeg.mov": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "vp9.webm": {"codec": "libvpx-vp9", "g": 6},
    "ffv1.mkv": {"codec": "ffv1"},
    "animated.gif": {"codec": "gif", "pixels": "rgb8"},
}


@pytest.mark.parametrize("name", CLIPS)
def test_every_frame_in_any_order(tmp_path, name):
    frames = VideoFrames(write_clip(tmp_path / name, **CLIPS[name]))
    assert (len(frames), frames.size, frames.rate) == (20, (64, 48), 25)
    assert list(frames.frame_names[:2]) == ["00000", "00001"]
    orders = list(range(20)), list(range(19, -1, -1)), np.random.default_rng(0).permutation(20).tolist()
    for order in orders:
        assert [shade(frames.frame(t)) for t in order] == order


def test_memory_does_not_grow_with_the_video(tmp_path, monkeypatch):
    monkeypatch.setattr("vosmem.inputs.video_file.CACHE_BYTES", 3 * 64 * 48 * 3)
    frames = VideoFrames(write_clip(tmp_path / "a.mp4", g=6))
    for t in [*range(20), *range(19, -1, -1)]:
        assert shade(frames.frame(t)) == t
        assert len(frames._cache) <= 3


def test_reading_forward_decodes_every_frame_once(tmp_path, monkeypatch):
    frames, starts = VideoFrames(write_clip(tmp_path / "a.mp4", g=6)), []
    start = frames._start
    monkeypatch.setattr(frames, "_start", lambda index: (starts.append(index), start(index)))
    for t in range(20):
        frames.frame(t)
    assert starts == [0]


def test_a_jump_ahead_decodes_from_the_key_frame_before(tmp_path, monkeypatch):
    clip = write_clip(tmp_path / "a.mp4", **{"x264-params": "keyint=6:min-keyint=6:scenecut=0"})
    frames, starts = VideoFrames(clip), []
    start = frames._start
    monkeypatch.setattr(frames, "_start", lambda index: (starts.append(index), start(index)))
    for t in (1, 5, 16, 17):
        assert shade(frames.frame(t)) == t
    assert starts == [0, 12]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_rotated_video_is_decoded_upright(tmp_path, turn):
    upright = VideoFrames(write_clip(tmp_path / "a.mp4")).frame(9)
    frames = VideoFrames(write_clip(tmp_path / "b.mp4", turn=turn))
    frame = frames.frame(9)
    assert frames.size == ((48, 64) if turn % 180 else (64, 48))
    turned = np.rot90(upright.permute(1, 2, 0).numpy(), k=turn // 90)
    assert np.abs(frame.permute(1, 2, 0).numpy().astype(int) - turned).max() < 12


def test_a_varying_rate_keeps_its_timestamps(tmp_path):
    times = [40 * t + 15 * (t % 2) for t in range(20)]
    frames = VideoFrames(write_clip(tmp_path / "a.mp4", times=times))
    np.testing.assert_allclose(frames.times, np.array(times) / 1000, atol=1e-3)
    assert any("25 to 55 ms" in note for note in frames.notes)
    assert shade(frames.frame(13)) == 13


def test_a_constant_rate_is_exact_and_needs_no_note(tmp_path):
    frames = VideoFrames(write_clip(tmp_path / "a.mp4"))
    assert (frames.rate, frames.notes) == (Fraction(25), ())
    np.testing.assert_allclose(frames.times, np.arange(20) / 25)


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def read_on(frames):
    """The number of frames before the first unreadable one, and its error message."""
    for t in range(len(frames)):
        try:
            assert shade(frames.frame(t)) == t
        except InputError as error:
            return t, str(error)
    return len(frames), ""


@pytest.mark.parametrize("share", [0.8, 0.9, 0.97])
def test_a_cut_video_can_be_read_up_to_the_reported_frame(tmp_path, share):
    frames = VideoFrames(cut(write_clip(tmp_path / "a.mp4", num_frames=60, g=12), share))
    good, message = read_on(frames)
    assert len(frames) - 2 <= good < 60  # the last of which there are data is cut itself
    assert "a.mp4" in message and f"frame {good} of" in message and "\n" not in message


@pytest.mark.parametrize("name", ["h264.ts", "h264.mkv"])
def test_a_gap_before_the_cut_is_noted(tmp_path, name):
    gaps = 0
    for percent in range(40, 95, 10):
        frames = VideoFrames(cut(write_clip(tmp_path / name, num_frames=60), percent / 100))
        shades = [shade(frames.frame(t)) for t in range(len(frames)) if t not in frames._index.damaged]
        missing = [t for t, shown in enumerate(shades) if shown != t]
        assert shades == sorted(set(shades)) and shades[0] == 0
        assert any("frames are missing" in note for note in frames.notes) or not missing or len(frames) > len(shades)
        gaps += bool(missing)
    assert gaps  # often the cut leaves none


def test_a_note_says_that_a_file_ends_early(tmp_path):
    frames = VideoFrames(cut(write_clip(tmp_path / "a.webm", **CLIPS["vp9.webm"]), 0.6))
    assert read_on(frames) == (len(frames), "")
    assert len(frames) < 20 and "it may be cut" in frames.notes[0]


def test_frames_after_the_damage_can_be_read(tmp_path):
    path = write_clip(tmp_path / "a.mov", **CLIPS["mjpeg.mov"])
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    path.write_bytes(content)
    frames = VideoFrames(path)
    good, message = read_on(frames)
    assert 2 < good < 17 and f"frame {good} of 20" in message
    assert [shade(frames.frame(t)) for t in (19, good - 1)] == [19, good - 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "missing"),
        (b"", "cannot be read"),
        (b"no video\n" * 20, "cannot be read"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nhello\n", "no pictures"),
    ],
)
def test_a_file_that_is_no_video_is_rejected(tmp_path, content, message):
    path = tmp_path / ("a.srt" if message == "no pictures" else "a.mp4")
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=naming(path.name, message)):
        VideoFrames(path)


def test_a_video_without_frames_is_rejected(tmp_path):
    path = cut(write_clip(tmp_path / "a.mp4"), 1)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"mdat") + 4])
    with pytest.raises(InputError, match=naming("a.mp4", "no frame that can be decoded")):
        VideoFrames(path)
