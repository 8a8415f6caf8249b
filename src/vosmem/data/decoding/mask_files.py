"""Reading masks of every kind as ids: palette, grey, one-bit and colour images, and transparency."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Int32, UInt8, UInt16
from PIL import Image
from scipy.ndimage import distance_transform_edt

from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.palette import ColourIds, pack, whole_palette
from vosmem.data.decoding.pictures import load_picture, read_header
from vosmem.errors import InputError
from vosmem.ops.masks import VOID as VOID

LARGEST_ID = 2**16 - 1
OTHER_COLOURS = "other colours"
ONE_BYTE = ("palette", "grey", "DAVIS colours", "grey as RGB")  # kinds in which 255 may stand for void
FEW = 3  # fewer thin ids than this may be small objects
SHOWN = 6
BYTE_BITS = 8
LOSSY = ("JPEG", "MPO", "HEIF")  # formats that do not keep ids
LOSSLESS_WEBP = b"VP8L"  # chunk of a file
WHITE, TOLERANCE = 255, 64  # a lossy format moves black and white by less
OVERSHOOT = 0.2  # of the difference at an edge, by which resizing exceeds its sides
MIXED = 0.9  # share of thin pixels from which they are soft edges, not small objects
SOFT = 0.03  # share of pixels between black and white at the edges of an object
OPAQUE = 128  # opacity from which a pixel belongs to an object that is drawn in the alpha channel


class MaskFile(NamedTuple):
    """The content of a mask file."""

    ids: UInt16[np.ndarray, "H W"]  # ids on disk; 0 is background. 255 stays 255: `VoidRule` decides what it means
    palette: UInt8[np.ndarray, "256 3"] | None  # the colours of the ids, if the file has its own
    notes: tuple[Note, ...]  # what a user should know about how the mask was read; each continues "mask NAME: "
    # `palette`, `grey`, `one-bit`, `16-bit grey`, `DAVIS colours`, `grey as RGB`, `other colours`, `transparency`, or
    # the format of a file of annotations.
    kind: str


def read_mask(
    path: Path,
    max_objects: int | None = 50,
    clean: bool = False,
    colours: ColourIds | None = None,
    page: int | None = None,
) -> MaskFile:
    """Read a mask image of any kind.

    Palette, grey and 16-bit images hold ids; a one-bit image holds one object, id 1. `ColourIds` assigns the ids of
    colour images. Transparency is ignored, except in an image of one colour: there the opaque pixels are the object.

    Args:
        max_objects: more ids than this are an error; None for no limit (and no notes on thin ids).
        clean: whether to give the pixels of thin ids, which are never 3 pixels wide, to the nearest other id; they come
            from anti-aliasing.
        colours: ids of the colours in other masks of the video; new colours are added to it.
        page: page of a stack, from 0 up; None for a file of one image.

    Raises:
        InputError: the file is missing or cannot be decoded, holds floating-point, negative or too large numbers, or
            more than `max_objects` objects.
    """
    image, header = load_picture(path, "mask", page), read_header(path, "mask")
    if header.bits > BYTE_BITS and len(image.getbands()) > 1:  # Pillow drops the lower bits
        raise _no_ids(str(path), InputError(f"has colours of {header.bits} bits"))
    if max_objects is not None and _is_lossy(image, path):
        white = white_pixels(np.asarray(image.convert("RGB")))
        if white is None:
            raise InputError(f"mask {str(path)!r} is a {image.format}, which does not keep ids: save it as PNG")
        mask = MaskFile(white.astype(np.uint16), None, (Decision.WHITE_IS_OBJECT.note(),), "black and white")
    else:
        mask = ids_of_image(image, str(path), max_objects, clean, colours)
    return mask._replace(notes=(*mask.notes, Decision.MASK_AS_STORED.note())) if header.rotated else mask


def _is_lossy(image: Image.Image, path: Path) -> bool:
    return image.format in LOSSY or (image.format == "WEBP" and LOSSLESS_WEBP not in path.read_bytes())


def white_pixels(picture: UInt8[np.ndarray, "H W 3"]) -> Bool[np.ndarray, "H W"] | None:
    """Where a picture of a lossy format is at least half white; None if it has other colours than black and white."""
    low, high = picture.min(axis=2), picture.max(axis=2)
    if ((high > TOLERANCE) & (low < WHITE - TOLERANCE)).mean() > SOFT:
        return None
    return low > WHITE // 2


def ids_of_image(
    image: Image.Image,
    name: str,
    max_objects: int | None = 50,
    clean: bool = False,
    colours: ColourIds | None = None,
) -> MaskFile:
    """The ids of a decoded mask; the arguments and errors are those of `read_mask`, `name` is for messages."""
    table = ColourIds() if colours is None else colours
    notes: list[Note] = []
    try:
        codes, kind = _codes(image)
        codes, kind, notes = _with_opacity(codes, kind, image)
    except InputError as error:
        raise _no_ids(name, error) from error
    if max_objects is not None:
        codes, cleaned, thin = _thinned(codes, clean)
        _raise_too_many(name, codes, max_objects, len(thin))
        soft = len(thin) > 0 and kind in ("grey", "colours") and _is_soft(codes)
        if soft and len(thin) >= FEW:
            raise InputError(
                f"mask {name!r} has soft edges: {len(thin)} values that mix those around them and are no ids: save it "
                "with hard edges, or remove them with --clean-masks"
            )
        notes += cleaned
        if soft or len(thin) >= FEW:
            notes.append(Decision.EDGES_THIN.note(values=_count(thin)))
    if kind != "colours":
        palette = _own_palette(image) if kind == "palette" else None
        return MaskFile(codes.astype(np.uint16), palette, tuple(notes), kind)
    present, indices = np.unique(codes, return_inverse=True)
    try:
        kind = table.learn(present.tolist())
    except InputError as error:
        raise _no_ids(name, error) from error
    ids = np.array([table.of[int(colour)] for colour in present], np.uint16)[indices.reshape(codes.shape)]
    notes.append(_colour_note(kind, present, table))
    return MaskFile(ids, table.palette() if kind == OTHER_COLOURS else None, tuple(notes), kind)


def _no_ids(name: str, error: InputError) -> InputError:
    return InputError(f"mask {name!r} {error}: save ids as palette, 8-bit or 16-bit grey PNG")


def _codes(image: Image.Image) -> tuple[Int32[np.ndarray, "H W"], str]:
    """The value of each pixel: an id, or a packed colour if the kind is `colours`."""
    if image.mode == "1":
        return np.asarray(image).astype(np.int32), "one-bit"
    if image.mode in ("P", "PA"):
        numbers, palette = np.asarray(image.getchannel(0)).astype(np.int32), _own_palette(image)
        black = [number for number in _distinct(numbers).tolist() if not palette[number].any()]
        if palette[0].any() and black:
            raise InputError(f"has black at {black[0]} of its palette, so that either 0 or black may be the background")
        return numbers, "palette"
    if image.mode in ("L", "LA", "La"):
        return np.asarray(image.getchannel(0)).astype(np.int32), "grey"
    if image.mode == "F":
        raise InputError("holds floating-point numbers")
    if image.mode.startswith("I"):
        numbers = np.asarray(image).astype(np.int64)
        if numbers.min() < 0 or numbers.max() > LARGEST_ID:
            raise InputError(f"holds ids from {numbers.min()} to {numbers.max()}, beyond 0 to {LARGEST_ID}")
        return numbers.astype(np.int32), "16-bit grey"
    return pack(np.asarray(image.convert("RGB"))), "colours"


def _with_opacity(
    codes: Int32[np.ndarray, "H W"], kind: str, image: Image.Image
) -> tuple[Int32[np.ndarray, "H W"], str, list[Note]]:
    """The codes and their kind given the transparency, which is the mask in an image of one colour."""
    has_alpha = "A" in image.mode.upper() and image.mode != "LAB"
    if not has_alpha and not (image.mode in ("1", "L", "P", "RGB") and "transparency" in image.info):
        return codes, kind, []
    colours = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    opacity = np.asarray(colours.getchannel("A"))
    if opacity.min() < opacity.max():
        if len(np.unique(pack(np.asarray(colours)[..., :3]))) == 1:
            return (opacity >= OPAQUE).astype(np.int32), "transparency", [Decision.TRANSPARENCY_IS_MASK.note()]
        if (codes[opacity == 0] != 0).any():
            raise InputError("is transparent where its colours hold an id, so that either may be the mask")
    return codes, kind, [Decision.TRANSPARENCY_IGNORED.note()] if has_alpha else []


def _own_palette(image: Image.Image) -> UInt8[np.ndarray, "256 3"]:
    colours = np.array(image.getpalette("RGB") or [], np.uint8)
    return whole_palette(colours[: 256 * 3].reshape(-1, 3))


def _thinned(
    codes: Int32[np.ndarray, "H W"], clean: bool
) -> tuple[Int32[np.ndarray, "H W"], list[Note], Int32[np.ndarray, "N"]]:
    """The codes, cleaned on request, the note on that, and the thin codes that are left."""
    inside = _uniform(codes)
    present, solid = _distinct(codes), _distinct(codes[inside])
    thin = np.setdiff1d(present, solid)
    if not (clean and len(thin) and solid.any()):
        return codes, [], thin
    nearest = distance_transform_edt(~np.isin(codes, solid), return_distances=False, return_indices=True)
    return codes[tuple(nearest)], [Decision.EDGES_CLEANED.note(values=_count(thin))], thin[:0]


def _is_soft(codes: Int32[np.ndarray, "H W"]) -> bool:
    """Whether nearly all pixels of thin codes mix solid codes around them, in each channel."""
    solid = np.isin(codes, _distinct(codes[_uniform(codes)]))
    mixed, differs = ~solid, np.zeros(codes.shape, bool)
    for shift in (0, 8, 16):
        channel, around = (codes >> shift & 255).astype(np.uint8), np.ones((7, 7), np.uint8)
        low = cv2.erode(np.where(solid, channel, np.uint8(255)), around).astype(int)
        high = cv2.dilate(np.where(solid, channel, np.uint8(0)), around).astype(int)
        slack = OVERSHOOT * (high - low)
        mixed &= (low - slack <= channel) & (channel <= high + slack)
        differs |= low < high
    return float((mixed & differs).sum() / (~solid).sum()) > MIXED


def _raise_too_many(name: str, codes: Int32[np.ndarray, "H W"], max_objects: int, thin: int) -> None:
    objects = int(np.count_nonzero(_distinct(codes)))
    if objects > max_objects:
        edges = f", {thin} of them thinner than 3 pixels (anti-aliased edges? --clean-masks)" if thin else ""
        raise InputError(
            f"mask {name!r} holds {objects} objects{edges}, more than --max-objects {max_objects} allows: raise "
            "--max-objects if they are objects, else save ids as palette, 8-bit or 16-bit grey PNG"
        )


def solid_ids(ids: UInt16[np.ndarray, "H W"]) -> set[int]:
    """The ids that are 3 pixels wide at some place.

    Example:
        >>> ids = np.zeros((5, 5), np.uint16)
        >>> ids[1:4, 1:4], ids[0, :] = 7, 9
        >>> sorted(solid_ids(ids))
        [7]
    """
    codes = ids.astype(np.int32)
    return set(_distinct(codes[_uniform(codes)]).tolist())


def _distinct(codes: Int32[np.ndarray, "*S"]) -> Int32[np.ndarray, "N"]:
    """`np.unique`, but faster for ids."""
    if codes.max(initial=0) > LARGEST_ID:
        return np.unique(codes)
    return np.flatnonzero(np.bincount(codes.ravel())).astype(np.int32)


def _uniform(codes: Int32[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Where all pixels of the 3x3 neighbourhood are equal; pixels outside the image are ignored."""
    exact, square = codes.astype(np.float32), np.ones((3, 3), np.uint8)  # exact, since colours have 24 bits
    same: Bool[np.ndarray, "H W"] = cv2.dilate(exact, square) == cv2.erode(exact, square)
    return same


def _count(codes: Int32[np.ndarray, "N"]) -> str:
    return f"{len(codes)} {'value is' if len(codes) == 1 else 'values are'}"


def _colour_note(kind: str, present: Int32[np.ndarray, "N"], table: ColourIds) -> Note:
    if kind != OTHER_COLOURS:
        return (Decision.COLOURS_GREY if kind == "grey as RGB" else Decision.COLOURS_OF_DAVIS).note()
    shown = sorted((table.of[int(colour)], f"#{colour:06x}") for colour in present if colour)
    colours = ", ".join(f"{colour} is {number}" for number, colour in shown[:SHOWN])
    return Decision.COLOURS_NUMBERED.note(colours=colours + (" ..." if len(shown) > SHOWN else ""))
