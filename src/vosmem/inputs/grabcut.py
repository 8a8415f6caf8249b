"""Masks from boxes around objects, or from strokes on an object and on the background, by GrabCut.

Source: Rother, Kolmogorov and Blake, GrabCut (SIGGRAPH 2004), as implemented in OpenCV.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8, UInt16
from scipy.spatial import KDTree

from vosmem.data.decoding.mask_files import OTHER_COLOURS, MaskFile
from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.palette import davis_palette
from vosmem.errors import InputError
from vosmem.ops.masks import MOST_OBJECTS

ITERATIONS = 5
MIN_SIDE = 4  # pixels; the colour models need samples
OBJECT, BACKGROUND = 1, 2  # values of strokes
SEED = 0  # of the initial clusters

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels; x1 and y1 are exclusive


def mask_from_box(frame: UInt8[np.ndarray, "H W 3"], box: Box) -> UInt8[np.ndarray, "H W"]:
    """Segment the object in a box, which is clipped to the frame, by the colours in and around it; 1 is the object.

    Raises `InputError` if the box is empty, outside the frame or all of it, or its content does not differ from the
    rest.
    """
    height, width = frame.shape[:2]
    x0, y0 = max(0, box[0]), max(0, box[1])
    x1, y1 = min(width, box[2]), min(height, box[3])
    if x1 - x0 < MIN_SIDE or y1 - y0 < MIN_SIDE:
        raise InputError(
            f"box {box} covers less than {MIN_SIDE} pixels a side of a frame of {width}x{height}: give x0,y0,x1,y1"
        )
    if (x1 - x0) * (y1 - y0) == width * height:
        raise InputError(f"box {box} is the whole frame: leave some background outside it")
    trimap = np.full((height, width), cv2.GC_BGD, np.uint8)
    trimap[y0:y1, x0:x1] = cv2.GC_PR_FGD
    mask = _grab_cut(frame, trimap)
    if not mask.any():
        raise InputError(f"nothing in box {box} differs from what is around it: draw a tighter box, or give a mask")
    return mask


def mask_from_boxes(
    frame: UInt8[np.ndarray, "H W 3"], boxes: Sequence[Box]
) -> tuple[UInt8[np.ndarray, "H W"], tuple[Note, ...]]:
    """Segment one object per box as `mask_from_box` does; the ids are 1, 2, ... in the order of the boxes.

    Objects of smaller boxes are in front; a note is returned if objects overlap. Raises `InputError` if there are too
    many boxes, or an object is hidden by others.
    """
    if len(boxes) > MOST_OBJECTS:
        raise InputError(f"--box is given {len(boxes)} times: give up to {MOST_OBJECTS}")
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes]
    objects = [mask_from_box(frame, box) > 0 for box in boxes]
    mask, overlap = np.zeros(frame.shape[:2], np.uint8), False
    for index in np.argsort(np.negative(areas), kind="stable"):
        overlap |= bool(mask[objects[index]].any())
        mask[objects[index]] = index + 1
    hidden = set(range(1, len(boxes) + 1)) - set(np.unique(mask).tolist())
    if hidden:
        raise InputError(f"the object of box {boxes[min(hidden) - 1]} is hidden by other boxes: move the boxes apart")
    return mask, (Decision.BOXES_OVERLAP.note(),) if overlap else ()


def mask_from_strokes(
    frame: UInt8[np.ndarray, "H W 3"], strokes: UInt16[np.ndarray, "H W"]
) -> UInt8[np.ndarray, "H W"]:
    """Segment an object (1) by strokes: 1 on the object, 2 on the background, 0 elsewhere; both are required.

    Stroke pixels keep their values, and parts of the object that touch no stroke are dropped.
    """
    values = set(np.unique(strokes).tolist()) - {0}
    if values != {OBJECT, BACKGROUND}:
        raise InputError(
            f"strokes hold the numbers {sorted(values)}: draw {OBJECT} on the object and {BACKGROUND} on the background"
        )
    # GrabCut would learn its initial background from all unmarked pixels, including the rest of the object.
    lab = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    colours, inverse = np.unique(lab, axis=0, return_inverse=True)
    to_object, to_background = (
        KDTree(np.unique(lab[strokes.ravel() == value], axis=0)).query(colours)[0] for value in (OBJECT, BACKGROUND)
    )
    probable = (to_object < to_background)[inverse].reshape(strokes.shape)
    trimap = np.where(probable, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[strokes == OBJECT], trimap[strokes == BACKGROUND] = cv2.GC_FGD, cv2.GC_BGD
    _, components = cv2.connectedComponents(_grab_cut(frame, trimap), connectivity=4)
    return np.isin(components, np.unique(components[strokes == OBJECT])).astype(np.uint8)


def strokes_by_colour(strokes: MaskFile) -> tuple[UInt16[np.ndarray, "H W"], tuple[Note, ...]]:
    """The values of strokes; in a coloured picture green is on the object and red on the background, with a note.

    Raises `InputError` if the picture has other colours, or those of DAVIS, in which red is object 1.
    """
    if strokes.kind not in ("palette", "DAVIS colours", OTHER_COLOURS):
        return strokes.ids, ()
    palette = davis_palette() if strokes.palette is None else strokes.palette
    present = [int(value) for value in np.unique(strokes.ids) if 0 < value < len(palette)]
    hues = {value: _hue(palette[value]) for value in present}
    hexadecimal = {value: "#" + bytes(palette[value]).hex() for value in present}
    is_davis = np.array_equal(palette[: BACKGROUND + 1], davis_palette()[: BACKGROUND + 1])
    if strokes.kind == "palette" and (is_davis or hues != {OBJECT: "red", BACKGROUND: "green"}):
        return strokes.ids, ()
    if strokes.kind == "DAVIS colours" or sorted(hues.values()) != ["green", "red"]:
        raise InputError(
            f"strokes are drawn in {', '.join(hexadecimal.values())}: draw with bright green on the object and bright "
            f"red on the background, or save the numbers {OBJECT} and {BACKGROUND} as grey"
        )
    green, red = sorted(present, key=lambda value: hues[value])
    ids = np.zeros_like(strokes.ids)
    ids[strokes.ids == green], ids[strokes.ids == red] = OBJECT, BACKGROUND
    return ids, (Decision.STROKES_BY_COLOUR.note(green=hexadecimal[green], red=hexadecimal[red]),)


def _hue(colour: UInt8[np.ndarray, "3"]) -> str:
    """`red` or `green` if that channel is at least twice as strong as both others."""
    red, green, blue = colour.tolist()
    if red >= 2 * max(green, blue, 1):
        return "red"
    return "green" if green >= 2 * max(red, blue, 1) else "other"


def _grab_cut(frame: UInt8[np.ndarray, "H W 3"], trimap: UInt8[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))  # colour models, filled by OpenCV
    cv2.setRNGSeed(SEED)
    bgr = np.ascontiguousarray(frame[..., ::-1])
    unused_box = (0, 0, 1, 1)  # a required argument
    cv2.grabCut(bgr, trimap, unused_box, background, foreground, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
