"""What a run will need, by plain formulas."""

from math import ceil

STRIDE = 16
FLOAT_BYTES = 4


def memory_frames(num_frames: int, interval: int) -> int:
    """Most frames in memory at a time: the first, every `interval`-th, and the one before the current.

    Example:
        >>> memory_frames(70, 5), memory_frames(2, 5), memory_frames(1, 5)
        (15, 1, 0)
    """
    last = num_frames - 2  # the last frame is read, not remembered
    return 0 if last < 0 else last // interval + 1 + (last % interval > 0)


def memory_bytes(
    size: tuple[int, int],
    num_frames: int,
    num_objects: int,
    interval: int,
    *,
    key_channels: int,
    value_channels: int,
    shared_keys: bool,
) -> int:
    """Bytes of keys and values at the end of a video in float32, in buffers that double when they are full.

    Args:
        size: width and height that the network sees.
        num_frames: of the video.
        num_objects: followed from the first frame on.
        interval: every how many frames one is kept.
        key_channels: width of the keys.
        value_channels: width of the values.
        shared_keys: whether all objects have one key (REMN) rather than one each (STM).
    """
    frames = memory_frames(num_frames, interval)
    capacity = 1 << max(0, frames - 1).bit_length() if frames else 0
    cells = ceil(size[0] / STRIDE) * ceil(size[1] / STRIDE)
    channels = key_channels * (1 if shared_keys else num_objects) + value_channels * num_objects
    return FLOAT_BYTES * capacity * cells * channels
