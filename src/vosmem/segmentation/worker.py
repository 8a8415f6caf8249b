"""What segments videos in a process of its own."""

import os
import socket
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from vosmem.errors import InputError
from vosmem.inputs.open import VideoInput
from vosmem.segmentation.video import VideoResult

SegmentOne = Callable[[VideoInput], VideoResult]


@dataclass(frozen=True)
class Outcome:
    """What came of a video.

    Attributes:
        result: what it is; None where there is none.
        error: why there is none: a mistake of the input, a file that cannot be written, or what went wrong inside.
        trace: where something went wrong inside.
        unready: whether the worker itself could not be made, so that no other video will do better.
        worker: which one it was.
        attempts: how often the video was begun.
    """

    result: VideoResult | None = None
    error: InputError | OSError | None = None
    trace: str = ""
    unready: bool = False
    worker: str = ""
    attempts: int = 1

    def told(self) -> VideoResult | InputError:
        """The result, or what is wrong with the video.

        Raises:
            InputError: no worker can be made.
            OSError: a file cannot be written; no other video will do better.
        """
        if self.result is not None:
            return self.result
        assert self.error is not None  # as there is no result
        if self.unready or isinstance(self.error, OSError):
            raise self.error
        return self.error


class SegmentationWorker:
    """Segments one video after the other; its network is loaded with the first and kept.

    Args:
        start: makes what segments a video.
    """

    def __init__(self, start: Callable[[], SegmentOne]):
        self._start = start
        self._segment: SegmentOne | None = None

    def run(self, video: VideoInput) -> Outcome:
        """Segment a video. Errors come back as values, since exceptions of other processes lose what they are."""
        where = f"{socket.gethostname()}:{os.getpid()}"
        try:
            if self._segment is None:
                self._segment = self._start()
        except (InputError, OSError) as error:
            return Outcome(error=error, unready=True, worker=where)
        try:
            return Outcome(result=self._segment(video), worker=where)
        except (InputError, OSError) as error:
            return Outcome(error=error, worker=where)
        except Exception as error:  # a defect, or a GPU that is full: the other videos are none the worse
            said = " ".join(f"{type(error).__name__}: {error}".split())
            return Outcome(error=InputError(f"{said}; the log says where"), trace=traceback.format_exc(), worker=where)
