"""The workers of `vosmem segment`: how many, and on which engine."""

import math
from argparse import Namespace
from collections.abc import Callable
from functools import partial

from vosmem.errors import InputError
from vosmem.workers import (
    ProcessItem,
    ProcessWorkerSlot,
    RayWorkerSlot,
    WorkerSlot,
    connect_to_ray,
    gpu_names,
    usable_cores,
)

DEFAULT_PROCESSES = 2  # without a GPU


def check_workers(options: Namespace) -> None:
    """Check the options about workers.

    Raises:
        InputError: an option does not apply to the engine, or is below 1.
    """
    for name, engines in (("workers", ("processes", "ray")), ("threads", ("processes", "ray")), ("address", ("ray",))):
        value = getattr(options, name)
        if value is not None and options.engine not in engines:
            raise InputError(f"--{name} belongs to --engine {' or '.join(engines)}: add it, or leave --{name} out")
        if isinstance(value, int) and value < 1:
            raise InputError(f"--{name} {value} is below 1: use 1 or more")


def make_slots(start: Callable[..., ProcessItem], options: Namespace, num_videos: int) -> list[WorkerSlot]:
    """Start the workers that the options ask for, at most one per video.

    `start` gets the number of workers that share the memory of a device as `sharing`.

    Raises:
        InputError: there is no such cluster, or it has no room for a worker.
    """
    wants_gpu = options.device in ("auto", "cuda")
    if options.engine == "ray":
        resources = connect_to_ray(options.address)
        threads = options.threads or 1
        gpus = int(resources.get("GPU", 0)) if wants_gpu else 0
        max_workers = gpus or int(resources.get("CPU", 0)) // threads
        if not max_workers:
            raise InputError(f"the Ray cluster has no {threads} free CPUs: lower --threads, or add machines")
        count = min(num_videos, options.workers or max_workers)
        start = partial(start, sharing=1 if gpus else count)
        return [RayWorkerSlot(start, threads, 1 if gpus else 0) for _ in range(count)]
    gpus = len(gpu_names()) if wants_gpu else 0
    count = min(num_videos, options.workers or gpus or DEFAULT_PROCESSES)
    threads = options.threads or max(1, usable_cores() // count)
    start = partial(start, sharing=math.ceil(count / max(1, gpus)))
    return [ProcessWorkerSlot(start, index, threads) for index in range(count)]
