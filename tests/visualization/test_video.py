"""Overlay videos can be read again, in a format that browsers play."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vosmem.visualization.video import write_video


@pytest.mark.parametrize("size", [(32, 48), (33, 49)])
def test_written_frames_can_be_read(tmp_path, size):
    ramp = np.linspace(0, 200, size[1], dtype=np.uint8)
    frames = [np.broadcast_to((ramp + t)[None, :, None], (*size, 3)) for t in range(12)]
    path = write_video(iter(frames), tmp_path / "new" / "video.mp4", Fraction(30000, 1001))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == Fraction(30000, 1001)
        read = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(read) == 12 and read[0].shape == (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    for before, after in zip(frames, read, strict=True):
        padded = np.pad(before, ((0, size[0] % 2), (0, size[1] % 2), (0, 0)), mode="edge")
        difference = np.abs(padded.astype(int) - after)
        assert difference.mean() < 6 and difference[-1].mean() < 12 and difference[:, -1].mean() < 12
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # it starts to play before it is loaded


def test_an_error_leaves_no_video_and_keeps_an_older_one(tmp_path):
    path = write_video([np.zeros((16, 16, 3), np.uint8)], tmp_path / "video.mp4", 24)
    older = path.read_bytes()

    def frames():
        yield np.zeros((16, 16, 3), np.uint8)
        raise RuntimeError("the network failed")

    with pytest.raises(RuntimeError, match="the network failed"):
        write_video(frames(), path, 24)
    assert path.read_bytes() == older and list(tmp_path.iterdir()) == [path]
