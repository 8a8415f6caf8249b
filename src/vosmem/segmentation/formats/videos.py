"""Formats of one video: the overlay, a matte, a green screen, and cut-outs with transparency."""

from abc import abstractmethod
from typing import ClassVar

import cv2
import numpy as np
from jaxtyping import UInt8

from vosmem.segmentation.formats.frame_format import DEFAULT_RATE, Frame, FrameFormat, Labels
from vosmem.visualization.overlay import overlay
from vosmem.visualization.video import FAST_START, H264, Encoding, VideoWriter

GREEN = (0, 255, 0)
MARGIN = 8  # pixels of colour around an object, so that compression does not darken its edge
SHARP_H264 = H264._replace(options={**H264.options, "crf": "10"})
PRORES = Encoding("mov", "prores_ks", "yuva444p10le", {"profile": "4444", "vendor": "apl0"}, FAST_START)
# VP9 codes transparency as a second stream, which cannot follow frames that are never shown (alt-ref).
VP9_OPTIONS = {"crf": "16", "b": "0", "auto-alt-ref": "0", "cpu-used": "5", "deadline": "realtime"}
VP9 = Encoding("webm", "libvpx-vp9", "yuva420p", VP9_OPTIONS, {"fflags": "+bitexact"})  # without a random identifier


class VideoFormat(FrameFormat):
    """A format of one video at the frame rate of the input."""

    encoding: ClassVar[Encoding] = H264

    def __enter__(self) -> "VideoFormat":
        writer = VideoWriter(self.folder / self.paths[0], self.video.rate or DEFAULT_RATE, self.encoding)
        self._writer = self._open.enter_context(writer)
        return self

    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        self._writer.add(self.picture(frame, labels))

    @abstractmethod
    def picture(self, frame: Frame, labels: Labels) -> UInt8[np.ndarray, "H W C"]:
        """The frame of the written video, RGB or RGBA."""


class Overlay(VideoFormat):
    """The masks over the frames."""

    paths = ("overlay.mp4",)

    def picture(self, frame: Frame, labels: Labels) -> Frame:
        return overlay(frame, labels)


class Matte(VideoFormat):
    """All objects white on black."""

    paths, encoding = ("matte.mp4",), SHARP_H264

    def picture(self, frame: Frame, labels: Labels) -> Frame:
        return cv2.cvtColor(alpha(labels), cv2.COLOR_GRAY2RGB)


class GreenScreen(VideoFormat):
    """All objects on green."""

    paths, encoding = ("green_screen.mp4",), SHARP_H264

    def picture(self, frame: Frame, labels: Labels) -> Frame:
        return np.where(labels[..., None] > 0, frame, np.array(GREEN, np.uint8))


class ProResCutout(VideoFormat):
    """All objects with transparency around them, in ProRes 4444."""

    paths, encoding = ("cutout.mov",), PRORES

    def picture(self, frame: Frame, labels: Labels) -> UInt8[np.ndarray, "H W 4"]:
        return cutout(frame, labels, MARGIN)


class WebmCutout(ProResCutout):
    """All objects with transparency around them, in VP9."""

    paths, encoding = ("cutout.webm",), VP9


def alpha(labels: Labels) -> UInt8[np.ndarray, "H W"]:
    """255 inside objects and 0 elsewhere."""
    return np.where(labels > 0, np.uint8(255), np.uint8(0))


def cutout(frame: Frame, labels: Labels, margin: int = 0) -> UInt8[np.ndarray, "H W 4"]:
    """The objects as RGBA; the colours of the frame end `margin` pixels outside of them, and black follows."""
    opaque = alpha(labels)
    kept = cv2.dilate(opaque, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)) if margin else opaque
    return np.dstack([np.where(kept[..., None] > 0, frame, np.uint8(0)), opaque])
