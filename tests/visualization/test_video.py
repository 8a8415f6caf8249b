"""Overlay videos: what is written can be read, and a browser could play it."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vosmem.visualization.video import write_video


@pytest.mark.parametrize("size", [(32, 48), (33, 49)])
def test_frames_come_back(tmp_path, size):
    ramp = np.linspace(0, 200, size[1], dtype=np.uint8)
    frames = [np.broadcast_to((ramp + t)[None, :, None], (*size, 3)) for t in range(12)]
    path = write_video(iter(frames), tmp_path / "new" / "video.mp4", Fraction(30000, 1001))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == Fraction(30000, 1001)
        read = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(read) == 12 and read[0].shape == (32, 48, 3)
    for before, after in zip(frames, read, strict=True):
        assert np.abs(before[:32, :48].astype(int) - after).mean() < 6
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # it starts to play before it is loaded
