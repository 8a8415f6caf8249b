"""Masks from a box around an object, or from strokes on it and on the background, by GrabCut.

Source: Rother, Kolmogorov and Blake, GrabCut (SIGGRAPH 2004), as implemented in OpenCV.
"""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8, UInt16
from scipy.spatial import KDTree

from vosmem.data.decoding.mask_files import OTHER_COLOURS, MaskFile
from vosmem.data.decoding.notes import Decision, Note
from vosmem.data.decoding.palette import davis_palette
from vosmem.errors import InputError

ITERATIONS = 5
MIN_SIDE = 4  # pixels; the colour models need samples
OBJECT, BACKGROUND = 1, 2  # values of strokes
SEED = 0  # of the initial clusters
FOREGROUND = (cv2.GC_FGD, cv2.GC_PR_FGD)
SHORT_SIDE = 360  # of a frame for GrabCut, whose time grows with the number of pixels
POINTS_SIDE = 240  # the same for points, which leave most pixels undecided
LEAST_SIDE = 64  # of the undecided part of that frame
PATH_SIDE = 120  # short side of a frame for shortest paths
PATH_LENGTH = 0.005  # cost of a pixel, next to the change of colour

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels; x1 and y1 are exclusive


def mask_from_box(
    frame: UInt8[np.ndarray, "H W 3"], box: Box, strokes: UInt16[np.ndarray, "H W"] | None = None
) -> UInt8[np.ndarray, "H W"]:
    """Segment the object in a box, which is clipped to the frame, by the colours in and around it; 1 is the object.

    Pixels of `strokes` with 1 are on the object, those with 2 are not.

    Raises `InputError` if the box is empty, outside the frame or all of it, or its content does not differ from the
    rest.
    """
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = clipped_box(box, (height, width))
    if (x1 - x0) * (y1 - y0) == width * height:
        raise InputError(f"box {box} is the whole frame: leave some background outside it")
    trimap = np.full((height, width), cv2.GC_BGD, np.uint8)
    trimap[y0:y1, x0:x1] = cv2.GC_PR_FGD
    if strokes is not None:
        trimap[strokes == OBJECT], trimap[strokes == BACKGROUND] = cv2.GC_FGD, cv2.GC_BGD
    mask = _grab_cut(frame, trimap)
    if not mask.any():
        raise InputError(f"nothing in box {box} differs from what is around it: draw a tighter box, or give a mask")
    return mask


def clipped_box(box: Box, size: tuple[int, int]) -> Box:
    """Clip a box to a frame of that height and width.

    Raises:
        InputError: less than 4 pixels a side are left.
    """
    height, width = size
    x0, y0, x1, y1 = max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3])
    if x1 - x0 < MIN_SIDE or y1 - y0 < MIN_SIDE:
        raise InputError(
            f"box {box} covers less than {MIN_SIDE} pixels a side of a frame of {width}x{height}: give x0,y0,x1,y1"
        )
    return x0, y0, x1, y1


def mask_from_strokes(
    frame: UInt8[np.ndarray, "H W 3"], strokes: UInt16[np.ndarray, "H W"]
) -> UInt8[np.ndarray, "H W"]:
    """Segment an object (1) by strokes: 1 on the object, 2 on the background, 0 elsewhere; both are required.

    Stroke pixels keep their values, and parts of the object that touch no stroke are dropped.
    """
    check_strokes(strokes)
    return _from_probable(frame, strokes, _by_colour(frame, strokes))


def mask_from_points(frame: UInt8[np.ndarray, "H W 3"], strokes: UInt16[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
    """Segment an object as `mask_from_strokes` does, from strokes that are too small to show its colours.

    A pixel starts as the object's if a path to its strokes crosses less change of colour than one to the background's.
    """
    check_strokes(strokes)
    return _from_probable(frame, strokes, _by_path(frame, strokes), POINTS_SIDE)


def correct_mask(
    frame: UInt8[np.ndarray, "H W 3"],
    mask: Bool[np.ndarray, "H W"],
    strokes: UInt16[np.ndarray, "H W"],
    near: Bool[np.ndarray, "H W"],
) -> Bool[np.ndarray, "H W"]:
    """Correct a mask by strokes: 1 on the object, 2 on the background, 0 elsewhere.

    GrabCut starts from the mask, which stays outside `near`, and of the pixels that change only regions that touch a
    stroke are taken over.
    """
    trimap = np.where(near, _trimap(strokes, mask), np.where(mask, cv2.GC_FGD, cv2.GC_BGD)).astype(np.uint8)
    changed = (_grab_cut(frame, trimap, POINTS_SIDE) > 0) != mask
    _, components = cv2.connectedComponents(changed.astype(np.uint8), connectivity=4)
    return mask ^ (changed & np.isin(components, np.unique(components[strokes > 0])))


def _by_colour(frame: UInt8[np.ndarray, "H W 3"], strokes: UInt16[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Whether the colour of a pixel is nearer to those under the object's strokes."""
    lab = cv2.cvtColor(frame, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    colours, inverse = np.unique(lab, axis=0, return_inverse=True)
    to_object, to_background = (
        KDTree(np.unique(lab[strokes.ravel() == value], axis=0)).query(colours)[0] for value in (OBJECT, BACKGROUND)
    )
    return (to_object < to_background)[inverse].reshape(strokes.shape)


def _by_path(frame: UInt8[np.ndarray, "H W 3"], strokes: UInt16[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Whether the shortest path to the object's strokes is shorter than that to the background's."""
    from skimage.graph import MCP_Geometric  # here, so that a run without points starts fast

    height, width = strokes.shape
    factor = min(1.0, PATH_SIDE / min(height, width))
    size = (round(factor * width), round(factor * height))
    lab = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB).astype(np.float32)
    smooth = cv2.GaussianBlur(lab, (0, 0), 0.8) / 255
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    change = np.sqrt((across**2 + down**2).sum(axis=2))
    costs = []
    for value in (OBJECT, BACKGROUND):
        share = cv2.resize((strokes == value).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        costs.append(MCP_Geometric(change + PATH_LENGTH).find_costs(np.argwhere(share >= min(0.1, share.max())))[0])
    nearer = (costs[0] < costs[1]).astype(np.float32)
    return cv2.resize(nearer, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5


def _from_probable(
    frame: UInt8[np.ndarray, "H W 3"],
    strokes: UInt16[np.ndarray, "H W"],
    probable: Bool[np.ndarray, "H W"],
    short_side: int = SHORT_SIDE,
) -> UInt8[np.ndarray, "H W"]:
    found = _grab_cut(frame, _trimap(strokes, probable), short_side)
    _, components = cv2.connectedComponents(found, connectivity=4)
    return np.isin(components, np.unique(components[strokes == OBJECT])).astype(np.uint8)


def _trimap(strokes: UInt16[np.ndarray, "H W"], probable: Bool[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
    # GrabCut would learn its initial background from all unmarked pixels, including the rest of the object.
    trimap = np.where(probable, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[strokes == OBJECT], trimap[strokes == BACKGROUND] = cv2.GC_FGD, cv2.GC_BGD
    return trimap


def check_strokes(strokes: UInt16[np.ndarray, "H W"]) -> None:
    """Raise `InputError` unless strokes are on the object and on the background."""
    values = set(np.unique(strokes).tolist()) - {0}
    if values != {OBJECT, BACKGROUND}:
        raise InputError(
            f"strokes hold the numbers {sorted(values)}: draw {OBJECT} on the object and {BACKGROUND} on the background"
        )


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


def _grab_cut(
    frame: UInt8[np.ndarray, "H W 3"], trimap: UInt8[np.ndarray, "H W"], short_side: int = SHORT_SIDE
) -> UInt8[np.ndarray, "H W"]:
    """Run GrabCut on a shrunk copy of a large frame; certain pixels of the trimap keep their values."""
    rows, columns = (np.flatnonzero((trimap != cv2.GC_BGD).any(axis=axis)) for axis in (1, 0))
    smallest = min(int(np.ptp(own)) + 1 for own in (rows, columns))
    factor = min(1.0, max(short_side / min(trimap.shape), LEAST_SIDE / smallest))
    size = (round(factor * trimap.shape[1]), round(factor * trimap.shape[0]))
    bgr = cv2.resize(np.ascontiguousarray(frame[..., ::-1]), size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(trimap, size, interpolation=cv2.INTER_NEAREST_EXACT)
    for certain in (cv2.GC_BGD, cv2.GC_FGD):  # thin strokes stay
        small[cv2.resize((trimap == certain).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0] = certain
    if 0 < np.isin(small, FOREGROUND).mean() < 1:  # OpenCV needs both
        background, foreground = np.zeros((1, 65)), np.zeros((1, 65))  # colour models, filled by OpenCV
        cv2.setRNGSeed(SEED)
        unused_box = (0, 0, 1, 1)  # a required argument
        cv2.grabCut(bgr, small, unused_box, background, foreground, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    found = np.isin(small, FOREGROUND).astype(np.float32)
    whole = cv2.resize(found, trimap.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return ((whole & (trimap != cv2.GC_BGD)) | (trimap == cv2.GC_FGD)).astype(np.uint8)
