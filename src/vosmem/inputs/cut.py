"""A mask from a box around the object, or from strokes on it and beside it."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Int, UInt8, UInt16
from scipy.spatial import KDTree

from vosmem.data.decoding.mask_files import OTHER_COLOURS, MaskFile
from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.palette import davis_palette
from vosmem.errors import InputError
from vosmem.ops.masks import MOST_OBJECTS

ROUNDS = 5
SMALLEST = 4  # pixels of a side: colour models need something to learn from
OBJECT, BACKGROUND = 1, 2  # of strokes
SEED = 0  # of GrabCut's first clusters


def mask_from_box(frame: UInt8[np.ndarray, "H W 3"], box: tuple[int, int, int, int]) -> UInt8[np.ndarray, "H W"]:
    """Cut the object out of its box with OpenCV's GrabCut, by the colours in and around the box.

    Args:
        frame: RGB bytes.
        box: x0, y0, x1, y1 in pixels, the last two just outside; what sticks out of the frame is cut off.

    Returns:
        1 for the object, 0 elsewhere.

    Raises:
        InputError: the box is empty, outside the frame or all of it, or nothing in it differs from what is around it.

    Source:
        Rother, Kolmogorov and Blake: GrabCut (SIGGRAPH 2004), as OpenCV has it.
    """
    height, width = frame.shape[:2]
    x0, y0 = max(0, box[0]), max(0, box[1])
    x1, y1 = min(width, box[2]), min(height, box[3])
    if x1 - x0 < SMALLEST or y1 - y0 < SMALLEST:
        raise InputError(
            f"box {box} leaves less than {SMALLEST} pixels a side of a frame of {width}x{height}: give x0,y0,x1,y1"
        )
    if (x1 - x0) * (y1 - y0) == width * height:
        raise InputError(f"box {box} is the whole frame: leave something around it that is not the object")
    known = np.full((height, width), cv2.GC_BGD, np.uint8)
    known[y0:y1, x0:x1] = cv2.GC_PR_FGD
    found = _grab_cut(frame, known)
    if not found.any():
        raise InputError(f"nothing in box {box} differs from what is around it: draw a tighter box, or give a mask")
    return found


def mask_from_boxes(
    frame: UInt8[np.ndarray, "H W 3"], boxes: Sequence[tuple[int, int, int, int]]
) -> tuple[UInt8[np.ndarray, "H W"], tuple[Note, ...]]:
    """Cut one object out of each box, as `mask_from_box` does. The object of a smaller box lies in front.

    Args:
        frame: RGB bytes.
        boxes: x0, y0, x1, y1 of each object.

    Returns:
        1 for the object of the first box, 2 for that of the second and so on, 0 elsewhere; and a note where objects
        overlap.

    Raises:
        InputError: as of `mask_from_box`, there are too many boxes, or an object lies behind others as a whole.
    """
    if len(boxes) > MOST_OBJECTS:
        raise InputError(f"--box is given {len(boxes)} times: give up to {MOST_OBJECTS}")
    found = [mask_from_box(frame, box) for box in boxes]
    mask, overlap = np.zeros(frame.shape[:2], np.uint8), False
    for number in sorted(range(len(boxes)), key=lambda number: -_area(boxes[number])):
        inside = found[number] > 0
        overlap |= bool(mask[inside].any())
        mask[inside] = number + 1
    hidden = set(range(1, len(boxes) + 1)) - set(np.unique(mask).tolist())
    if hidden:
        raise InputError(
            f"box {boxes[min(hidden) - 1]} leaves no object that other boxes do not hold: move the boxes apart"
        )
    return mask, (Decision.BOXES_OVERLAP.note(),) if overlap else ()


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def mask_from_strokes(
    frame: UInt8[np.ndarray, "H W 3"], strokes: UInt16[np.ndarray, "H W"]
) -> UInt8[np.ndarray, "H W"]:
    """Cut the object out by strokes on it and strokes beside it, with OpenCV's GrabCut.

    Args:
        frame: RGB bytes.
        strokes: 1 on the object, 2 on what is not the object, 0 elsewhere.

    Returns:
        1 for the object, 0 elsewhere: strokes keep what they say, and nothing counts that hangs on no stroke.

    Raises:
        InputError: there are other numbers than these, or one of the two kinds is missing.
    """
    kinds = set(np.unique(strokes).tolist()) - {0}
    if kinds != {OBJECT, BACKGROUND}:
        raise InputError(
            f"strokes hold the numbers {sorted(kinds)}: draw with {OBJECT} on the object and {BACKGROUND} beside it"
        )
    # GrabCut would learn its first background from all that is unmarked, the rest of the object too
    lab = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    colours, places = np.unique(lab, axis=0, return_inverse=True)
    near = [KDTree(np.unique(lab[strokes.ravel() == kind], axis=0)).query(colours)[0] for kind in (OBJECT, BACKGROUND)]
    probable = (near[0] < near[1])[places].reshape(strokes.shape)
    known = np.where(probable, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    known[strokes == OBJECT], known[strokes == BACKGROUND] = cv2.GC_FGD, cv2.GC_BGD
    _, parts = cv2.connectedComponents(_grab_cut(frame, known), connectivity=4)
    return np.isin(parts, np.unique(parts[strokes == OBJECT])).astype(np.uint8)


def strokes_by_colour(strokes: MaskFile) -> tuple[UInt16[np.ndarray, "H W"], tuple[Note, ...]]:
    """The strokes of a picture as ids 1 and 2: of a coloured one, green is on the object and red beside it.

    Args:
        strokes: the picture as `read_mask` reads it.

    Returns:
        the ids, and a note if they were read from colours.

    Raises:
        InputError: the picture is drawn in other colours, or in those of DAVIS, where red is object 1.
    """
    if strokes.kind not in ("palette", "DAVIS colours", OTHER_COLOURS):
        return strokes.ids, ()
    palette = davis_palette() if strokes.palette is None else strokes.palette
    present = [int(number) for number in np.unique(strokes.ids) if 0 < number < len(palette)]
    colours = {number: palette[number].astype(int) for number in present}
    hue = {number: _hue(colour) for number, colour in colours.items()}
    shown = {number: "#" + bytes(colour.astype(np.uint8)).hex() for number, colour in colours.items()}
    of_davis = np.array_equal(palette[: BACKGROUND + 1], davis_palette()[: BACKGROUND + 1])
    if strokes.kind == "palette" and (of_davis or hue != {OBJECT: "red", BACKGROUND: "green"}):
        return strokes.ids, ()
    if strokes.kind == "DAVIS colours" or sorted(hue.values()) != ["green", "red"]:
        raise InputError(
            f"strokes are drawn in {', '.join(shown.values())}: draw with bright green on the object and bright red "
            f"beside it, or save the numbers {OBJECT} and {BACKGROUND} as grey"
        )
    (green,) = [number for number in present if hue[number] == "green"]
    (red,) = [number for number in present if hue[number] == "red"]
    ids = np.zeros_like(strokes.ids)
    ids[strokes.ids == green], ids[strokes.ids == red] = OBJECT, BACKGROUND
    return ids, (Decision.STROKES_BY_COLOUR.note(green=shown[green], red=shown[red]),)


def _hue(colour: Int[np.ndarray, "3"]) -> str:
    """`red` or `green`, if one of the two is at least twice as strong as each other channel."""
    red, green, blue = colour.tolist()
    if red >= 2 * max(green, blue, 1):
        return "red"
    return "green" if green >= 2 * max(red, blue, 1) else "other"


def _grab_cut(frame: UInt8[np.ndarray, "H W 3"], known: UInt8[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))  # the colour models, which OpenCV fills
    cv2.setRNGSeed(SEED)
    bgr = np.ascontiguousarray(frame[..., ::-1])
    no_box = (0, 0, 1, 1)  # one has to be given, and is not looked at
    cv2.grabCut(bgr, known, no_box, background, foreground, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.isin(known, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
