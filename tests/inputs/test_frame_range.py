"""`--frames`: some frames of a video, with the masks, times and rate of these."""

from fractions import Fraction

import numpy as np
import pytest

from tests.inputs.made import shade, write_clip, write_frames, write_mask
from tests.messages import naming
from vosmem.errors import InputError
from vosmem.inputs.frame_range import FrameRange
from vosmem.inputs.open import open_videos

STEMS = [f"{t:02d}" for t in range(10, 20)]


def opened(source, mask, text, **options):
    return open_videos(source, mask, frames=FrameRange.parse(text), **options)[0].open()


@pytest.mark.parametrize("text", ["2:5", ":4", "7:", "1:9:3", "::2", "3:99"])
def test_the_frames_of_a_range_keep_their_names_and_pictures(tmp_path, text):
    chosen = range(10)[slice(*(int(part) if part else None for part in text.split(":")))]
    mask = write_mask(tmp_path / "m.png", [1])
    for source in (write_frames(tmp_path / "clip", STEMS), write_clip(tmp_path / "a.mp4", num_frames=10, g=4)):
        video = opened(source, mask, text)
        names = STEMS if source.is_dir() else [f"{t:05d}" for t in range(10)]
        assert list(video.frame_names) == [names[t] for t in chosen]
        assert [shade(video.frame(t)) for t in range(len(video))] == list(chosen)
        assert list(video.given_at) == [0], "a mask without a number is that of the first frame in use"
    assert video.rate == Fraction(25, chosen.step)


@pytest.mark.parametrize("start", [6, "6", "00006"])
def test_masks_and_start_name_frames_of_the_whole_video(tmp_path, start):
    clip = write_clip(tmp_path / "a.mp4", num_frames=10)
    assert opened(clip, write_mask(tmp_path / "m.png", [1]), "4:9", start=start).given_at == (2,)
    assert opened(clip, write_mask(tmp_path / "f_0006.png", [1]), "4:9").given_at == (2,)
    np.save(tmp_path / "m.npy", np.arange(10, dtype=np.uint8)[:, None, None].repeat(48, 1).repeat(64, 2))
    assert opened(clip, tmp_path / "m.npy", "4:9:2").object_ids == (4, 6, 8)


@pytest.mark.parametrize("start", [3, 9, "x"])
def test_a_start_outside_the_range_is_refused(tmp_path, start):
    with pytest.raises(InputError, match=naming("--start", "4 to 8")):
        opened(write_clip(tmp_path / "a.mp4", num_frames=10), write_mask(tmp_path / "m.png", [1]), "4:9", start=start)


@pytest.mark.parametrize("text", ["", "3", "1:2:0", "a:b", "-3:", "1:2:3:4", "1.5:2", "1:2:-1", "²:"])
def test_other_texts_are_refused(text):
    with pytest.raises(InputError, match=naming(repr(text), "A:B")):
        FrameRange.parse(text)


@pytest.mark.parametrize("text", ["10:", "5:5", "6:2"])
def test_a_range_without_frames_is_refused(tmp_path, text):
    with pytest.raises(InputError, match=naming("--frames", "0 to 9")):
        opened(write_frames(tmp_path / "clip", STEMS), write_mask(tmp_path / "m.png", [1]), text)
