"""How many workers share the videos of `vosmem segment`, and where they are."""

import os
from argparse import Namespace
from collections.abc import Callable

import torch

from vosmem.errors import InputError
from vosmem.segmentation.processes import ProcessWorkerSlot
from vosmem.segmentation.ray_cluster import RayWorkerSlot, connect
from vosmem.segmentation.spread import WorkerSlot
from vosmem.segmentation.worker import SegmentOne

PROCESSES = 2  # where there is no GPU


def check_workers(options: Namespace) -> None:
    """Say what is wrong with the options about workers.

    Raises:
        InputError: one of them is of no use to the engine, or below 1.
    """
    for name, engines in (("workers", ("processes", "ray")), ("threads", ("processes", "ray")), ("address", ("ray",))):
        value = getattr(options, name)
        if value is not None and options.engine not in engines:
            raise InputError(f"--{name} belongs to --engine {' or '.join(engines)}: add it, or leave --{name} out")
        if isinstance(value, int) and value < 1:
            raise InputError(f"--{name} {value} is not possible: use 1 or more")


def make_slots(start: Callable[[], SegmentOne], options: Namespace, num_videos: int) -> list[WorkerSlot]:
    """The workers that the options ask for.

    Args:
        start: makes what segments a video, in the worker.
        options: of the command line.
        num_videos: no more workers than these are made.

    Raises:
        InputError: there is no such cluster, or it has no room for a worker.
    """
    return (_on_ray if options.engine == "ray" else _on_this_machine)(start, options, num_videos)


def _on_this_machine(start: Callable[[], SegmentOne], options: Namespace, most: int) -> list[WorkerSlot]:
    gpus = torch.cuda.device_count() if options.device in ("auto", "cuda") else 0
    count = min(most, options.workers or gpus or PROCESSES)
    threads = options.threads or max(1, (os.cpu_count() or 1) // count)
    return [ProcessWorkerSlot(start, place, threads) for place in range(count)]


def _on_ray(start: Callable[[], SegmentOne], options: Namespace, most: int) -> list[WorkerSlot]:
    resources = connect(options.address)
    threads = options.threads or 1
    gpus = int(resources.get("GPU", 0)) if options.device in ("auto", "cuda") else 0
    room = gpus or int(resources.get("CPU", 0)) // threads
    if not room:
        raise InputError(
            f"the Ray cluster has no machine with {threads} CPUs to spare: lower --threads, or add machines"
        )
    return [RayWorkerSlot(start, threads, 1 if gpus else 0) for _ in range(min(most, options.workers or room))]
