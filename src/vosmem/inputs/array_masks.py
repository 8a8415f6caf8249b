"""Masks in NumPy files: one array of ids for each mask, or one array for all frames."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from natsort import natsorted
from PIL import Image

from vosmem.data.decoding.mask_files import LARGEST_ID, MaskFile, ids_of_image
from vosmem.data.decoding.notes import Decision, Note
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.given_masks import GivenMasks, pages_by_frame
from vosmem.inputs.wording import counted

SUFFIXES = (".npy", ".npz")


def is_array(path: Path) -> bool:
    """Whether a file name is that of a NumPy file."""
    return path.suffix.lower() in SUFFIXES


class ArrayMasks(GivenMasks):
    """Arrays of ids of height x width, or of frames x height x width. In a npz file with several arrays, each is named
    after its frame.

    `max_objects` and `clean` as in `read_mask`.

    Raises:
        InputError: a file cannot be read, or an array has another number of dimensions or of frames.
    """

    def __init__(self, paths: Sequence[Path], frames: FrameSource, max_objects: int, clean: bool):
        self.name = str(paths[0] if len(paths) == 1 else paths[0].parent)
        self._max_objects, self._clean = max_objects, clean
        self._readers: dict[str, tuple[str, Callable[[], np.ndarray]]] = {}
        notes: list[Note] = []
        for path in paths:
            arrays = _load(path)
            for stem, array in arrays.items():
                while array.ndim > 2 and 1 in (array.shape[0], array.shape[-1]):
                    array = array[0] if array.shape[0] == 1 else array[..., 0]
                if array.ndim == 3 and len(arrays) == 1 and len(paths) == 1:
                    for name, page in pages_by_frame(str(path), len(array), frames, "mask").items():
                        self._readers[name] = f"{path.name}[{name}]", lambda array=array, page=page: array[page]  # type: ignore[misc]
                    pages = counted(len(array), "page")
                    notes.append(Decision.MASK_PAGES.note(name=path.name, pages=pages))
                elif array.ndim == 2:
                    label = path.name if len(arrays) == 1 else f"{path.name}[{stem}]"
                    self._readers[stem] = label, lambda array=array: array  # type: ignore[misc]
                else:
                    shape = " x ".join(map(str, array.shape))
                    raise InputError(
                        f"mask {str(path)!r} is an array of {shape or 'no dimension'}: give ids as height x width, or "
                        "frames x height x width in one file"
                    )
        self.stems, self.notes = natsorted(self._readers), tuple(notes)

    def label(self, stem: str) -> str:
        return self._readers[stem][0]

    def read(self, stem: str) -> MaskFile:
        label, load = self._readers[stem]
        return ids_of_image(_as_image(load(), label), label, self._max_objects, self._clean)


def _load(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name; the only one has the stem of the file."""
    try:
        content = np.load(path, mmap_mode="r", allow_pickle=False)
        arrays = {path.stem: content} if isinstance(content, np.ndarray) else {key: content[key] for key in content}
    except Exception as error:  # a damaged header makes numpy raise nearly anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"mask {str(path)!r} cannot be read ({reason}): save arrays of ids with numpy.save") from error
    return {path.stem: next(iter(arrays.values()))} if len(arrays) == 1 else arrays


def _as_image(array: np.ndarray, label: str) -> Image.Image:
    """An array as an image of the same values; `InputError` if they are no ids."""
    if array.dtype.kind not in "biuf" or 0 in array.shape:
        raise InputError(f"mask {label!r} is an array of {array.dtype} and {array.shape}: give whole numbers as ids")
    if array.dtype == bool or array.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(array))
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.rint(array)).all()):
        raise InputError(f"mask {label!r} holds fractions, such as probabilities: give whole numbers as ids")
    if array.min() < 0 or array.max() > LARGEST_ID:
        raise InputError(f"mask {label!r} holds ids from {array.min()} to {array.max()}: use 0 to {LARGEST_ID}")
    return Image.fromarray(np.ascontiguousarray(array.astype(np.uint16)))
