"""Unusual video files, written without the ffmpeg program."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from tests.inputs.made import STEP, write_clip

ONE = 1 << 16
# Display matrices a, b, c, d that map (x, y) to (a x + c y, b x + d y), and the same with NumPy.
ORIENTATIONS = {
    (1, 0, 0, 1): lambda picture: picture,
    (-1, 0, 0, 1): np.fliplr,
    (1, 0, 0, -1): np.flipud,
    (-1, 0, 0, -1): lambda picture: np.rot90(picture, 2),
    (0, 1, -1, 0): lambda picture: np.rot90(picture, 3),
    (0, -1, 1, 0): lambda picture: np.rot90(picture, 1),
    (0, 1, 1, 0): lambda picture: picture.swapaxes(0, 1),
    (0, -1, -1, 0): lambda picture: np.rot90(picture.swapaxes(0, 1), 2),
}
NOT_CODED = bytes.fromhex("000001b650cf")  # MPEG-4: "the frame before, again", as fills up packed B-frames


def quarters(size=(64, 48)):
    """A picture with another shade in each corner."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    height, width = size[1] // 2, size[0] // 2
    picture[:height, :width], picture[:height, width:], picture[height:, :width] = 60, 120, 180
    picture[height:, width:] = 240
    return picture


def write_oriented(path: Path, matrix):
    """An mp4 of one picture that players show by a display matrix."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(quarters(), format="rgb24")))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (ONE * value for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def write_dropped(path: Path, codec="mjpeg", pixels="yuvj420p"):
    """Eight frames in an AVI that counts eleven, since three were dropped in the middle."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for t in range(8):
            picture = np.full((48, 64, 3), STEP * t, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = t + 3 * (t > 3), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_cut(path: Path, num_packets=4):
    """The first packets of a video with B-frames, as tools cut without encoding: a frame before the last is missing."""
    options = {"x264-params": "bframes=3:b-adapt=0:b-pyramid=none:keyint=60:scenecut=0:crf=10"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        packets = []
        for t in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), STEP * t, np.uint8), format="rgb24")
            packets += stream.encode(frame)
        container.mux((packets + stream.encode(None))[:num_packets])
    return path


def write_placeholders(path: Path, num_frames=20):
    """MPEG-4 with packets from which no frame comes, as packed B-frames have them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"qmin": "1", "qmax": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        at = 0
        for t in range(num_frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), STEP * t, np.uint8), format="rgb24")
            packets = stream.encode(frame)
            for packet in packets + ([av.Packet(NOT_CODED)] if t % 5 == 3 else []):
                packet.stream, packet.pts, packet.dts, packet.time_base = stream, at, at, Fraction(1, 25)
                at += 1
                container.mux(packet)
    return path


def write_joined(path: Path):
    """Two recordings of 20 frames in one transport stream."""
    clip = write_clip(path.with_name("part.ts"), g=6)
    path.write_bytes(2 * clip.read_bytes())
    clip.unlink()
    return path


def write_recorder(path: Path, num_frames=60):
    """A webm as browsers record it: stamps about 33 ms apart, and no duration of a frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for t in range(num_frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), STEP * t, np.uint8), format="rgb24")
            frame.pts, frame.time_base = t * 33 + (t * 7) % 5, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    at = data.find(b"\x23\xe3\x83")  # DefaultDuration, turned into a void element
    if at >= 0:
        path.write_bytes(data[:at] + b"\xec\x86" + bytes(6) + data[at + 8 :])
    return path


def write_streams(path: Path, sizes, pictures_only=()):
    """Several video streams; those of `pictures_only` are marked as covers."""
    with av.open(str(path), "w") as container:
        streams = []
        for index, size in enumerate(sizes):
            stream = container.add_stream("mjpeg" if index in pictures_only else "libx264", rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if index in pictures_only else "yuv420p"
            stream.disposition = Disposition.attached_pic if index in pictures_only else Disposition(0)
            streams.append(stream)
        for index, (stream, size) in enumerate(zip(streams, sizes, strict=True)):
            for t in range(1 if index in pictures_only else 4):
                picture = np.full((size[1], size[0], 3), STEP * t, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
    return path


def write_song(path: Path):
    """Sound with a cover picture."""
    with av.open(str(path), "w") as container:
        sound, cover = container.add_stream("aac", rate=44100), container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(quarters(), format="rgb24")))
        container.mux(cover.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.rate = 44100
        for _ in range(20):
            container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    return path
