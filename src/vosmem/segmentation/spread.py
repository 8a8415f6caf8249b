"""Many videos over several workers, some of which may die."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from typing import Protocol, runtime_checkable

from vosmem.errors import InputError
from vosmem.inputs.open import VideoInput
from vosmem.segmentation.worker import Outcome

MOST_ATTEMPTS = 3


@runtime_checkable
class WorkerSlot(Protocol):
    """A place for one worker, that takes one video at a time.

    Attributes:
        deaths: what a future raises if the worker died.
    """

    deaths: tuple[type[BaseException], ...]

    def submit(self, video: VideoInput) -> "Future[Outcome]":
        """Give the worker a video."""

    def restart(self) -> None:
        """Put another worker in the place of one that died."""

    def close(self) -> None:
        """Let the worker go."""


def spread(
    videos: Sequence[VideoInput], slots: Sequence[WorkerSlot], on_event: Callable[[str], None]
) -> Iterator[tuple[VideoInput, Outcome]]:
    """Segment videos on several workers, and those of a worker that died on another.

    Args:
        videos: the videos; the first are begun first.
        slots: where workers are; all are let go at the end.
        on_event: is told what begins and what dies.

    Yields:
        each video and what came of it, as they are done.
    """
    waiting = deque((video, 1) for video in videos)
    idle = deque(slots)
    running: dict[Future[Outcome], tuple[WorkerSlot, VideoInput, int]] = {}
    try:
        while waiting or running:
            while waiting and idle:
                slot, (video, attempt) = idle.popleft(), waiting.popleft()
                on_event(f"{video.name}: begun" + (f", attempt {attempt}" if attempt > 1 else ""))
                running[slot.submit(video)] = (slot, video, attempt)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                slot, video, attempt = running.pop(future)
                try:
                    outcome = replace(future.result(), attempts=attempt)
                except slot.deaths as error:
                    on_event(f"{video.name}: its worker died ({' '.join(str(error).split())})")
                    slot.restart()
                    if attempt < MOST_ATTEMPTS:
                        waiting.append((video, attempt + 1))
                        continue
                    outcome = Outcome(error=_gave_up(), attempts=attempt)
                finally:
                    idle.append(slot)
                yield video, outcome
    finally:
        for slot in slots:
            slot.close()


def _gave_up() -> InputError:
    return InputError(
        f"its worker process died {MOST_ATTEMPTS} times, perhaps for want of memory: give it more room with fewer "
        f"--workers, a --memory-budget or a smaller --size"
    )
