"""Workers as processes of this machine."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

import torch

from vosmem.inputs.open import VideoInput
from vosmem.segmentation.worker import Outcome, SegmentationWorker, SegmentOne


class ProcessWorkerSlot:
    """A worker in a process of its own. A pool of one, since a pool of several dies as a whole.

    Args:
        start: makes what segments a video.
        place: of this worker among all; those of a machine with several GPUs take them in turn.
        threads: of the processor that it uses.
    """

    deaths: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    def __init__(self, start: Callable[[], SegmentOne], place: int, threads: int):
        self._arguments = (start, place, threads)
        self._pool = self._made()

    def submit(self, video: VideoInput) -> "Future[Outcome]":
        """Give the worker a video; one that died while it had none is replaced first."""
        try:
            return self._pool.submit(_work, video)
        except BrokenProcessPool:
            self.restart()
            return self._pool.submit(_work, video)

    def restart(self) -> None:
        """Start another process."""
        self.close()
        self._pool = self._made()

    def close(self) -> None:
        """Let the process end with what it has in hand."""
        self._pool.shutdown(cancel_futures=True)

    def _made(self) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")  # a forked torch may hang in its threads
        return ProcessPoolExecutor(1, mp_context=spawn, initializer=_begin, initargs=self._arguments)


_workers: list[SegmentationWorker] = []  # the one of this process


def _begin(start: Callable[[], SegmentOne], place: int, threads: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        torch.cuda.set_device(place % torch.cuda.device_count())
    _workers[:] = [SegmentationWorker(start)]


def _end_with_parent() -> None:
    """End this process if the one that waits for it is killed; it would wait for another video for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker
    wait([parent.sentinel])
    os._exit(1)


def _work(video: VideoInput) -> Outcome:
    return _workers[0].run(video)
