"""Video frames as players show them: turned and mirrored as the display matrix of the file says."""

from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type
from jaxtyping import UInt8


def upright(frame: av.VideoFrame) -> UInt8[np.ndarray, "H W 3"]:
    """RGB bytes of a frame in the nearest of the eight orientations that a display matrix can say."""
    picture = frame.to_ndarray(format="rgb24")
    side_data: Any = frame.side_data  # PyAV says that it maps names, and gives a sequence
    matrices = [bytes(data) for data in side_data if data.type == Type.DISPLAYMATRIX]
    if not matrices:
        return picture
    return np.ascontiguousarray(oriented(picture, np.frombuffer(matrices[0], np.int32)[:9]))


def oriented(picture: UInt8[np.ndarray, "H W 3"], matrix: np.ndarray) -> UInt8[np.ndarray, "H2 W2 3"]:
    """Turn and mirror a picture by a display matrix.

    The matrix maps the point (x, y) of a stored frame to (a x + c y, b x + d y) on the screen; it is stored as a, b, u,
    c, d, v and so on, and translations only bring the picture back to the screen.

    Example:
        >>> picture = np.arange(2)[None, :, None].repeat(3, 2).astype(np.uint8)
        >>> oriented(picture, np.array([-65536, 0, 0, 0, 65536, 0, 0, 0, 2**30]))[0, :, 0].tolist()
        [1, 0]
    """
    a, b, c, d = (int(matrix[at]) for at in (0, 1, 3, 4))
    if abs(b) + abs(c) > abs(a) + abs(d):  # x becomes y
        picture, a, d = picture.swapaxes(0, 1), c, b
    picture = picture[:, ::-1] if a < 0 else picture
    return picture[::-1] if d < 0 else picture
