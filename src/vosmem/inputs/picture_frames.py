"""Pictures as the frames of a video: those of a folder, the pages of a stack or an animation, or one picture."""

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import prod
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from vosmem.data.decoding.images import as_rgb
from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.pictures import PictureHeader, load_picture, read_header
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.levels import Levels, evenly, find_levels, read_numbers
from vosmem.inputs.picture_folder import frames_in
from vosmem.inputs.wording import counted, listed

BYTE_BITS = 8
DESCRIPTION = 270  # the TIFF tag in which ImageJ and OME say what pages are
PLANES = re.compile(r'\b(?:channels|slices)=(\d+)|\bSize[CZ]="(\d+)"')
FRAMES = re.compile(r'\bframes=(\d+)|\bSizeT="(\d+)"')
LARGEST_DENOMINATOR = 1001


class PictureFrames(FrameSource):
    """Pictures of any common type in natural order, or all pages of one file.

    Numbers of more than 8 bits are scaled by one range for the whole video.

    Args:
        source: the folder, or one picture; one without further pages is a video of one frame.
        mask: what is given as the mask, which is no frame if it lies among them.

    Raises:
        InputError: the folder is missing or holds no pictures, the first cannot be read, or two share a stem.
    """

    def __init__(self, source: Path, mask: Path | None = None):
        self.name = str(source)
        paths, notes = ([source], []) if source.is_file() else frames_in(source, mask)
        first = read_header(paths[0], "frame")
        self._stack = len(paths) == 1 and len(first.pages) > 1
        self._headers: list[PictureHeader | InputError] = [first, *map(_header_or_error, paths[1:])]
        if self._stack:
            self._pictures: list[tuple[Path, int | None]] = [(paths[0], page) for page in first.pages]
            self.frame_names = [f"{t:05d}" for t in range(len(first.pages))]
            self.times = _times(paths[0], first)
        else:
            self._pictures = [(path, None) for path in paths]
            self.frame_names = [path.stem for path in paths]
        self._raise_twins(paths)
        if self.times and self.times[-1]:
            self.rate = Fraction((len(self) - 1) / self.times[-1]).limit_denominator(LARGEST_DENOMINATOR)
        self.size, self._bits = (first.width, first.height), first.bits
        if self._stack:
            _raise_planes(paths[0], len(first.pages))
        self._levels = self._find_levels() if first.bits > BYTE_BITS else None
        self.notes = (*notes, *self._remarks(first))

    def check(self, t: int) -> None:
        """From the header of the picture."""
        header = self._headers[0 if self._stack else t]
        if isinstance(header, InputError):
            raise header
        self._check_size(t, (header.width, header.height))
        self._check_header(t, header)

    def _check_header(self, t: int, header: PictureHeader) -> None:
        if len(header.pages) > 1 and not self._stack:
            raise InputError(
                f"frame {self.frame_names[t]!r} of {self.name!r} holds {len(header.pages)} pictures: give the file by "
                "itself, or save each picture in a file of its own"
            )
        if header.bits != self._bits:
            raise InputError(
                f"frame {self.frame_names[t]!r} of {self.name!r} has {header.bits} bits a channel, the first frame "
                f"{self._bits}: save all frames with the same number of bits"
            )

    def _decode(self, t: int) -> UInt8[Tensor, "3 H W"]:
        t = range(len(self))[t]
        path, page = self._pictures[t]
        if not self._stack:
            self._check_header(t, read_header(path, "frame"))
        if self._levels is None:
            rgb = as_rgb(load_picture(path, "frame", page), path)
        else:
            rgb = _three_channels(self._levels.bytes_of(read_numbers(path, page)))
        return torch.from_numpy(rgb.copy()).permute(2, 0, 1)

    def _find_levels(self) -> Levels:
        def readable() -> Iterator[np.ndarray]:
            for t in evenly(len(self)):
                try:
                    yield read_numbers(*self._pictures[t])
                except InputError:
                    continue  # the frame itself is reported where it is read

        return find_levels(readable())

    def _remarks(self, first: PictureHeader) -> Iterator[Note]:
        if self._stack:
            yield Decision.PAGES_ARE_FRAMES.note(pages=counted(len(self), "page"))
        if first.thumbnails and len(self._headers) == 1:
            yield Decision.PAGES_LEFT_OUT.note(pages=counted(first.thumbnails, "page"))
        if self._levels is not None:
            low, high = self._levels
            yield Decision.RANGE_SCALED.note(bits=self._bits, low=low, high=high)
        headers = zip(self._pictures, self._headers, strict=False)
        turned = [path.name for (path, _), header in headers if getattr(header, "rotated", False)]
        if turned:
            yield Decision.EXIF_IGNORED.note(names=listed(turned), number=len(turned), total=len(self))

    def _raise_twins(self, paths: Sequence[Path]) -> None:
        path_of: dict[str, Path] = {}
        for path in paths:
            twin = path_of.setdefault(path.stem, path)
            if twin != path:
                raise InputError(
                    f"folder {self.name!r} holds {twin.name} and {path.name}, whose masks would have one name: "
                    f"keep one of each stem"
                )


def _header_or_error(path: Path) -> PictureHeader | InputError:
    try:
        return read_header(path, "frame")
    except InputError as error:
        return error


def _raise_planes(path: Path, pages: int) -> None:
    """Refuse a stack of a microscope whose pages are not one after the other in time.

    Raises:
        InputError: the pages are channels or slices of fewer frames.
    """
    with Image.open(path) as image:
        text = str(image.tag_v2.get(DESCRIPTION, "")) if image.format == "TIFF" else ""  # type: ignore[attr-defined]
    planes = [max(int(number) for number in match if number) for match in PLANES.findall(text)]
    frames = [max(int(number) for number in match if number) for match in FRAMES.findall(text)]
    if max(planes, default=1) > 1 and prod(planes) * prod(frames) == pages:
        raise InputError(
            f"stack {str(path)!r} has {prod(planes)} channels or slices of each frame: save one of them as a stack"
        )


def _times(path: Path, header: PictureHeader) -> list[float] | None:
    """Seconds of each page of an animation from the first; None of a stack, which has no times."""
    times = [0.0]
    with Image.open(path) as image:
        for page in header.pages[:-1]:
            image.seek(page)
            image.load()
            times.append(times[-1] + float(image.info.get("duration", 0)) / 1000)
    return times if times[-1] else None


def _three_channels(grey: UInt8[np.ndarray, "..."]) -> UInt8[np.ndarray, "H W 3"]:
    return grey if grey.ndim == 3 else np.repeat(grey[..., None], 3, axis=2)
