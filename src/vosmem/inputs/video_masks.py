"""A video whose frames are the masks of another."""

from pathlib import Path

import numpy as np
from PIL import Image

from vosmem.data.decoding.mask_files import MaskFile, ids_of_image, white_pixels
from vosmem.data.decoding.notes import Decision
from vosmem.data.decoding.palette import ColourIds
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.given_masks import GivenMasks, pages_by_frame
from vosmem.inputs.video_container import keeps_colours
from vosmem.inputs.video_file import VideoFrames
from vosmem.inputs.wording import counted


class VideoMasks(GivenMasks):
    """The frames of a video file, one for each frame. `max_objects` and `clean` as in `read_mask`.

    A codec that keeps colours holds ids, as in images; otherwise the video is black and white, and white is an object.

    Raises:
        InputError: the video cannot be read, or has another number of frames.
    """

    def __init__(self, path: Path, frames: FrameSource, max_objects: int, clean: bool):
        self.name, self._path = str(path), path
        self._video, self._exact = VideoFrames(path), keeps_colours(path)
        self._page_of = pages_by_frame(str(path), len(self._video), frames, "frame")
        self.stems = list(self._page_of)
        self._max_objects, self._clean, self._colours = max_objects, clean, ColourIds()
        self.notes = (Decision.MASK_PAGES.note(name=path.name, pages=counted(len(self._video), "frame")),)

    def label(self, stem: str) -> str:
        return f"{self._path.name}[{stem}]"

    def read(self, stem: str) -> MaskFile:
        picture = self._video.frame(self._page_of[stem]).permute(1, 2, 0).numpy()
        if self._exact:
            image = Image.fromarray(np.ascontiguousarray(picture))
            return ids_of_image(image, self.label(stem), self._max_objects, self._clean, self._colours)
        white = white_pixels(picture)
        if white is None:
            raise InputError(
                f"mask {self.label(stem)!r} has other colours than black and white, which its codec does not keep: "
                "save it with a lossless codec (ffv1 or png), or masks as PNG files"
            )
        return MaskFile(white.astype(np.uint16), None, (Decision.WHITE_IS_OBJECT.note(),), "black and white")
