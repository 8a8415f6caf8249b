"""The sizes of work that a benchmark runs."""

from collections.abc import Sequence
from typing import NamedTuple


class Case(NamedTuple):
    """The size of the work."""

    num_objects: int  # K
    num_frames: int  # in memory (T)
    height: int  # of the frames, in pixels
    width: int  # of the frames, in pixels


def cases(objects: Sequence[int], memory: Sequence[int], sizes: Sequence[Sequence[int]]) -> list[Case]:
    """Vary one list at a time (K, T, and height and width); the other lists stay at their first entry.

    Example:
        >>> [case[:2] for case in cases([1, 3], [5, 1], [(480, 854)])]
        [(1, 5), (1, 1), (3, 5)]
    """
    (height, width), k, t = sizes[0], objects[0], memory[0]
    found = [Case(k, num_frames, height, width) for num_frames in memory]
    found += [Case(num_objects, t, height, width) for num_objects in objects[1:]]
    return found + [Case(k, t, own_height, own_width) for own_height, own_width in sizes[1:]]
