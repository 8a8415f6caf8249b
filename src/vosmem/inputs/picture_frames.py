"""Pictures as the frames of a video: those of a folder, the pages of a stack or an animation, or a single picture."""

import re
from collections.abc import Iterator
from fractions import Fraction
from math import prod
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Num, UInt8
from PIL import Image
from torch import Tensor

from vosmem.data.decoding.images import as_rgb
from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.pictures import PictureHeader, grey_values, load_picture, read_header
from vosmem.errors import InputError
from vosmem.inputs.exr import is_exr, read_exr, read_exr_header
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.intensity import IntensityRange
from vosmem.inputs.picture_folder import frames_in
from vosmem.inputs.wording import counted, listed

BYTE_BITS = 8
DESCRIPTION = 270  # the TIFF tag in which ImageJ and OME describe pages
PLANES = re.compile(r'\b(?:channels|slices)=(\d+)|\bSize[CZ]="(\d+)"')
FRAMES = re.compile(r'\bframes=(\d+)|\bSizeT="(\d+)"')
MAX_DENOMINATOR = 1001


class PictureFrames(FrameSource):
    """Pictures of any common type in natural order, or all pages of one file; one picture is a video of one frame.

    Intensities of more than 8 bits are scaled by one range for the whole video. A given mask file in the folder is no
    frame.

    Raises:
        InputError: the folder is missing or holds no pictures, the first cannot be read, or two have one stem.
    """

    def __init__(self, source: Path, mask: Path | None = None):
        self.name = str(source)
        paths, notes = ([source], []) if source.is_file() else frames_in(source, mask)
        first = _read_header(paths[0])
        self._stack = len(paths) == 1 and len(first.pages) > 1
        self._headers: list[PictureHeader | InputError] = [first, *map(_header_or_error, paths[1:])]
        if self._stack:
            self._pictures: list[tuple[Path, int | None]] = [(paths[0], page) for page in first.pages]
            self.frame_names = [f"{t:05d}" for t in range(len(first.pages))]
            self.times = _presentation_times(paths[0], first)
            _check_planes(paths[0], len(first.pages))
        else:
            self._pictures = [(path, None) for path in paths]
            self.frame_names = [path.stem for path in paths]
        path_of: dict[str, Path] = {}
        for path in paths:
            twin = path_of.setdefault(path.stem, path)
            if twin != path:
                raise InputError(
                    f"folder {self.name!r} holds {twin.name} and {path.name}, whose masks would have one name: "
                    f"keep one of each stem"
                )
        if self.times and self.times[-1]:
            self.rate = Fraction((len(self) - 1) / self.times[-1]).limit_denominator(MAX_DENOMINATOR)
        self.size, self._bits = (first.width, first.height), first.bits
        self._range: IntensityRange | None = None
        if first.bits > BYTE_BITS:
            self._range = IntensityRange.sampled(len(self), lambda t: _read_all_bits(*self._pictures[t]))
        self.notes = (*notes, *self._find_notes(first))

    def check(self, t: int) -> None:
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
                f"frame {self.frame_names[t]!r} of {self.name!r} has {header.bits} bits per channel, the first frame "
                f"{self._bits}: save all frames with the same number of bits"
            )

    def _decode(self, t: int) -> UInt8[Tensor, "3 H W"]:
        t = range(len(self))[t]
        path, page = self._pictures[t]
        if not self._stack:
            self._check_header(t, _read_header(path))
        if self._range is None:
            rgb = as_rgb(load_picture(path, "frame", page), path)
        else:
            rgb = self._range.to_bytes(_read_all_bits(path, page))
            rgb = rgb if rgb.ndim == 3 else np.repeat(rgb[..., None], 3, axis=2)
        return torch.from_numpy(rgb.copy()).permute(2, 0, 1)

    def _find_notes(self, first: PictureHeader) -> Iterator[Note]:
        if self._stack:
            yield Decision.PAGES_ARE_FRAMES.note(pages=counted(len(self), "page"))
        if first.thumbnails and len(self._headers) == 1:
            yield Decision.PAGES_LEFT_OUT.note(pages=counted(first.thumbnails, "page"))
        if self._range is not None:
            yield Decision.RANGE_SCALED.note(bits=self._bits, low=self._range.low, high=self._range.high)
        headers = list(zip(self._pictures, self._headers, strict=False))
        turned = [path.name for (path, _), header in headers if getattr(header, "turned", False)]
        if turned:
            yield Decision.ORIENTATION_APPLIED.note(names=listed(turned), number=len(turned), total=len(self))
        rotated = [path.name for (path, _), header in headers if getattr(header, "rotated", False)]
        if rotated:
            yield Decision.EXIF_IGNORED.note(names=listed(rotated), number=len(rotated), total=len(self))


def _read_all_bits(path: Path, page: int | None = None) -> Num[np.ndarray, "..."]:
    """Read a picture of more than 8 bits per channel: (H, W), or (H, W, 3) in RGB."""
    if is_exr(path):
        return read_exr(path)
    image = load_picture(path, "frame", page)
    if image.mode.startswith(("I", "F")):
        return grey_values(image)
    # Pillow reads colours with 8 bits only.
    _, pages = cv2.imdecodemulti(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if not pages:
        raise InputError(f"frame {str(path)!r} cannot be read (16-bit colours): save it with 8 bits per channel")
    intensities = np.asarray(pages[0 if page is None or page >= len(pages) else page])
    return intensities if intensities.ndim == 2 else intensities[..., 2::-1]


def _read_header(path: Path) -> PictureHeader:
    return read_exr_header(path) if is_exr(path) else read_header(path, "frame")


def _header_or_error(path: Path) -> PictureHeader | InputError:
    try:
        return _read_header(path)
    except InputError as error:
        return error


def _check_planes(path: Path, num_pages: int) -> None:
    """Refuse a microscope's stack whose pages are channels or slices of fewer frames."""
    with Image.open(path) as image:
        text = str(image.tag_v2.get(DESCRIPTION, "")) if image.format == "TIFF" else ""  # type: ignore[attr-defined]
    planes, frames = ([int(a or b) for a, b in pattern.findall(text)] for pattern in (PLANES, FRAMES))
    if max(planes, default=1) > 1 and prod(planes) * prod(frames) == num_pages:
        raise InputError(
            f"stack {str(path)!r} has {prod(planes)} channels or slices of each frame: save one of them as a stack"
        )


def _presentation_times(path: Path, header: PictureHeader) -> list[float] | None:
    """The seconds at which each page of an animation is shown; None for a stack, which has no times."""
    times = [0.0]
    with Image.open(path) as image:
        for page in header.pages[:-1]:
            image.seek(page)
            image.load()
            times.append(times[-1] + float(image.info.get("duration", 0)) / 1000)
    return times if times[-1] else None
