"""What the memory holds while a frame is segmented; `inference.propagation.memory_trace` records it."""

from typing import NamedTuple


class Moment(NamedTuple):
    """The memory while one frame is segmented, and the policy's decision about that frame."""

    t: int  # index of the frame in the video
    held: list[int]  # indices of the frames in memory, ascending
    nbytes: int  # bytes of the memory
    mask_given: bool  # whether the user gave a mask of the frame
    kept: bool  # whether the frame was kept; false for the last frame of a video, about which nothing is decided
    variation: float | None = None  # of the objects since the last kept frame, in [0, 1]; None if not measured
    stay: float | None = None  # number of frames that the gate left in memory; None if it was not asked
