"""Workers as actors of a Ray cluster. Ray is an extra; it is imported where a cluster is asked for."""

import importlib
import logging
import os
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from vosmem.errors import InputError
from vosmem.inputs.open import VideoInput
from vosmem.segmentation.worker import Outcome, SegmentationWorker, SegmentOne


def connect(address: str | None) -> dict[str, float]:
    """Join a cluster that is there.

    Args:
        address: `HOST:PORT` of its head; None for what `RAY_ADDRESS` names, else the cluster of this machine.

    Returns:
        the cluster's resources; `CPU` and `GPU` are how many it has.

    Raises:
        InputError: Ray is not installed, or there is no such cluster.
    """
    ray = _ray()
    chosen = address or os.environ.get("RAY_ADDRESS", "auto")
    try:
        if not ray.is_initialized():
            ray.init(address=chosen, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # of many kinds, by what is wrong
        raise InputError(
            f"no Ray cluster answers at {chosen!r}: start one with `ray start --head`, or give --address HOST:PORT"
        ) from error
    return dict(ray.cluster_resources())


class RayWorkerSlot:
    """A worker on whichever machine of the cluster has room.

    Args:
        start: makes what segments a video; its paths must mean the same on every machine.
        threads: of the processor that it takes.
        gpus: that it takes, 0 or 1.
    """

    def __init__(self, start: Callable[[], SegmentOne], threads: int, gpus: int):
        ray = _ray()
        self.deaths: tuple[type[BaseException], ...] = (ray.exceptions.RayActorError,)
        self._make = partial(ray.remote(SegmentationWorker).options(num_cpus=threads, num_gpus=gpus).remote, start)
        self._kill = ray.kill
        self._actor = self._make()

    def submit(self, video: VideoInput) -> "Future[Outcome]":
        """Give the worker a video."""
        future: Future[Outcome] = self._actor.run.remote(video).future()
        return future

    def restart(self) -> None:
        """Ask for another worker, wherever there is room."""
        self._actor = self._make()

    def close(self) -> None:
        """End the worker."""
        self._kill(self._actor)


def _ray() -> Any:
    """The package, by its name: types are checked with and without it."""
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise InputError("--engine ray needs Ray: pip install 'vosmem[ray]', or use --engine processes") from error
