"""OpenEXR frames, and TIFF frames whose pixels Pillow decodes wrongly or not at all."""

import av
import numpy as np
import pytest
import tifffile

from tests.inputs.made import write_mask
from tests.messages import naming
from vosmem.errors import InputError
from vosmem.inputs.doctor import inspect
from vosmem.inputs.mask_source import open_masks
from vosmem.inputs.picture_frames import PictureFrames

GREY = (np.arange(48 * 64).reshape(48, 64) % 256).astype(np.uint8)
LIGHT = np.stack([GREY / 64, GREY[::-1] / 255, np.full(GREY.shape, 0.25)], axis=2).astype(np.float32)


def write_exr(path, light, pixels="gbrpf32le", **options):
    """Write an EXR with FFmpeg's encoder, which compresses with zip1."""
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("exr", rate=25, options={"compression": "zip1", **options})
        stream.width, stream.height, stream.pix_fmt = light.shape[1], light.shape[0], pixels
        frame = av.VideoFrame(light.shape[1], light.shape[0], pixels)
        planes = light[..., [1, 2, 0]] if light.ndim == 3 else light[..., None]
        for plane, values in zip(frame.planes, np.moveaxis(planes, 2, 0), strict=True):
            plane.update(np.ascontiguousarray(values))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown(light):
    """The sRGB bytes of linear light, scaled by its range."""
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return np.rint((curve - curve.min()) * 255 / (curve.max() - curve.min()))


@pytest.mark.parametrize(("stored", "bits"), [("half", 16), ("float", 32)])
@pytest.mark.parametrize("light", [LIGHT, LIGHT[..., 0]], ids=["colour", "grey"])
def test_exr_frames_are_shown_with_the_curve_of_srgb_and_one_range(tmp_path, light, stored, bits):
    for t in range(2):
        write_exr(tmp_path / f"{t}.exr", light, "gbrpf32le" if light.ndim == 3 else "grayf32le", format=stored)
    frames = PictureFrames(tmp_path)
    frames.check(1)
    expected = np.broadcast_to(shown(light).reshape(48, 64, -1), (48, 64, 3))
    assert np.abs(frames.frame(1).permute(1, 2, 0).numpy() - expected).max() <= 1
    assert f"{bits} bits" in frames.notes[0] and frames.notes[0].warns


def test_an_exr_with_unknown_channels_is_refused_with_the_remedy(tmp_path):
    path = write_exr(tmp_path / "0.exr", LIGHT[..., 0], "grayf32le")
    path.write_bytes(path.read_bytes().replace(b"\x00Y\x00", b"\x00Z\x00"))
    (video,) = inspect(path, write_mask(tmp_path / "m.png", [1])).videos
    assert "R, G and B" in video.problems[0] and "0.exr" in video.problems[0]


def test_an_exr_is_no_mask(tmp_path):
    path = write_exr(tmp_path / "0.exr", LIGHT)
    with pytest.raises(InputError, match=naming("0.exr", "PNG")):
        open_masks(path, PictureFrames(path), 50, False)


@pytest.mark.parametrize(
    ("pixels", "expected", "options"),
    [
        (GREY.astype(np.uint32) << 24, GREY, {}),
        (65535 - GREY.astype(np.uint16), GREY, {"photometric": "miniswhite"}),
        (GREY.astype(np.int16) - 100, GREY, {}),
    ],
)
def test_grey_tiff_frames_keep_the_order_of_their_shades(tmp_path, pixels, expected, options):
    tifffile.imwrite(tmp_path / "0.tif", pixels, **options)
    frame = PictureFrames(tmp_path / "0.tif").frame(0)
    assert np.abs(frame[0].numpy().astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("pixels", "reason", "options"),
    [
        (np.stack([GREY.astype(np.uint16)] * 3), "planes", {"photometric": "rgb", "planarconfig": "separate"}),
        (GREY.astype(np.int8), "signed", {}),
        (GREY.astype(np.float64), "floats", {}),
    ],
)
def test_tiff_frames_that_cannot_be_decoded_are_refused_with_the_reason(tmp_path, pixels, reason, options):
    tifffile.imwrite(tmp_path / "0.tif", pixels, **options)
    with pytest.raises(InputError, match=naming("0.tif", reason)):
        PictureFrames(tmp_path / "0.tif")
