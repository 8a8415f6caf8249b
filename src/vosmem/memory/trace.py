"""What the memory holds while a frame is segmented; `inference.propagation.memory_trace` records it."""

from typing import NamedTuple


class Moment(NamedTuple):
    """The memory while one frame is segmented, and the policy's decision about that frame.

    Attributes:
        t: index of the frame in the video.
        held: indices of the frames in memory, ascending.
        nbytes: bytes of the memory.
        mask_given: whether the user gave a mask of the frame.
        kept: whether the frame was kept; false for the last frame of a video, about which nothing is decided.
        variation: change of the objects since the last kept frame, in [0, 1]; None if the policy does not measure it.
        stay: number of frames that the gate left in memory after this one was kept; None if the gate was not asked.
    """

    t: int
    held: list[int]
    nbytes: int
    mask_given: bool
    kept: bool
    variation: float | None = None
    stay: float | None = None
