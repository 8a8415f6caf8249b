"""Distribute items over worker processes or the machines of a Ray cluster, some of which may die.

`distribute` gives each `WorkerSlot` one item at a time; a worker that died is replaced and its item is done again.
Items, results and what starts a worker travel between processes, so they must be picklable.
"""

import importlib
import logging
import multiprocessing
import os
import socket
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import wait as wait_for_connections
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch

from vosmem.errors import InputError

MAX_ATTEMPTS = 3
VISIBLE = "CUDA_VISIBLE_DEVICES"
Item = TypeVar("Item")
ProcessItem = Callable[[Any], Any]  # from an item to its result


@dataclass(frozen=True)
class Outcome:
    """The result of an item, or its error."""

    result: Any = None
    error: InputError | OSError | None = None  # `InputError` also for an exception of the program
    trace: str = ""  # traceback of an exception of the program
    not_started: bool = False  # whether no worker can be started, so that every item would fail
    worker: str = ""  # host and process id
    attempts: int = 1  # how often the item was started

    def result_or_error(self) -> Any:
        """The result, or the error if it concerns only this item.

        Raises the error if no worker can be started or a file cannot be written, so that every other item would fail,
        too.
        """
        if self.error is not None and (self.not_started or isinstance(self.error, OSError)):
            raise self.error
        return self.result if self.error is None else self.error


class Worker:
    """Processes items one after the other. `start` is called once, at the first item, for example to load a network."""

    def __init__(self, start: Callable[[], ProcessItem]):
        self._start = start
        self._process: ProcessItem | None = None

    def run(self, item: Any) -> Outcome:
        """Process an item. Errors are returned as values, since exceptions lose attributes between processes."""
        name = f"{socket.gethostname()}:{os.getpid()}"
        try:
            if self._process is None:
                self._process = self._start()
        except (InputError, OSError) as error:
            return Outcome(error=error, not_started=True, worker=name)
        try:
            return Outcome(result=self._process(item), worker=name)
        except (InputError, OSError) as error:
            return Outcome(error=error, worker=name)
        except Exception as error:  # a defect, or a full GPU, which need not affect other items
            text = " ".join(f"{type(error).__name__}: {error}".split())
            return Outcome(error=InputError(f"{text}; the log has details"), trace=traceback.format_exc(), worker=name)


@runtime_checkable
class WorkerSlot(Protocol):
    """Holds one worker and replaces it if it dies. `deaths` are the exceptions of a future whose worker died."""

    deaths: tuple[type[BaseException], ...]

    def submit(self, item: Any) -> "Future[Outcome]":
        """Start an item on the worker."""

    def restart(self) -> None:
        """Replace a worker that died."""

    def close(self) -> None:
        """Stop the worker."""


def distribute(
    items: Sequence[Item], slots: Sequence[WorkerSlot], on_event: Callable[[Item, str], None], advice: str
) -> Iterator[tuple[Item, Outcome]]:
    """Process items on several workers, and items of a worker that died again on another.

    `on_event` is called with an item and a text when the item is started and when its worker dies. `advice` is how to
    use less memory, for the error of an item whose workers die repeatedly. Yields each item with its outcome, as they
    finish; all slots are closed at the end.
    """
    waiting = deque((item, 1) for item in items)
    idle = deque(slots)
    running: dict[Future[Outcome], tuple[WorkerSlot, Item, int]] = {}
    try:
        while waiting or running:
            while waiting and idle:
                slot, (item, attempt) = idle.popleft(), waiting.popleft()
                on_event(item, "started" + (f", attempt {attempt}" if attempt > 1 else ""))
                running[slot.submit(item)] = (slot, item, attempt)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                slot, item, attempt = running.pop(future)
                try:
                    outcome = replace(future.result(), attempts=attempt)
                except slot.deaths as error:
                    on_event(item, f"its worker died ({' '.join(str(error).split())})")
                    slot.restart()
                    if attempt < MAX_ATTEMPTS:
                        waiting.append((item, attempt + 1))
                        continue
                    text = f"its worker process died {MAX_ATTEMPTS} times, perhaps out of memory: {advice}"
                    outcome = Outcome(error=InputError(text), attempts=attempt)
                finally:
                    idle.append(slot)
                yield item, outcome
    finally:
        for slot in slots:
            slot.close()


class ProcessWorkerSlot:
    """A worker in a process of this machine: a pool of one, since a death breaks all processes of a larger pool.

    `index` determines its GPU if the machine has several; `threads` is the number of its processor threads.
    """

    deaths: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    def __init__(self, start: Callable[[], ProcessItem], index: int, threads: int):
        gpus = gpu_names()
        self._arguments = (start, gpus[index % len(gpus)] if gpus else None, threads)
        self._pool = self._new_pool()

    def submit(self, item: Any) -> "Future[Outcome]":
        """Start an item on the worker; a worker that died while idle is replaced first."""
        try:
            return self._pool.submit(_run_in_process, item)
        except BrokenProcessPool:
            self.restart()
            return self._pool.submit(_run_in_process, item)

    def restart(self) -> None:
        """Start another process."""
        self.close()
        self._pool = self._new_pool()

    def close(self) -> None:
        """Stop the process after its current item."""
        self._pool.shutdown(cancel_futures=True)

    def _new_pool(self) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")  # the threads of a forked torch may deadlock
        return ProcessPoolExecutor(1, mp_context=spawn, initializer=_start_in_process, initargs=self._arguments)


_workers: list[Worker] = []  # the worker of this process


def _start_in_process(start: Callable[[], ProcessItem], gpu: str | None, threads: int) -> None:
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    if gpu is not None:  # before this process counts its GPUs, which may start CUDA: then all threads see one device
        os.environ[VISIBLE] = gpu
    _workers[:] = [Worker(start)]


def gpu_names() -> list[str]:
    """Return the names of the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` spells them.

    Users and SLURM set the variable, to indices, to `GPU-...` or to parts of a GPU, `MIG-...`. PyTorch counts only the
    first of several MIG parts, because a process can use no more.
    """
    count, listed = torch.cuda.device_count(), os.environ.get(VISIBLE)
    if listed is None or not count:
        return [str(index) for index in range(count)]
    names = [name.strip() for name in listed.split(",")]
    return names if names[0].startswith("MIG-") else names[:count]


def usable_cores() -> int:
    """Return the number of cores that this process may use, which SLURM and containers limit."""
    affinity = getattr(os, "sched_getaffinity", None)  # on Linux only
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def cores_of_process(num_local: int) -> int:
    """Return the number of cores of this process if `num_local` processes like it share the machine.

    SLURM grants cores to each of its tasks (`--cpus-per-task`), and may leave it to them to use no others.
    """
    granted = os.environ.get("SLURM_CPUS_PER_TASK", "") if "SLURM_PROCID" in os.environ else ""
    return min(usable_cores(), int(granted)) if granted.isdecimal() else max(1, usable_cores() // num_local)


def _exit_with_parent() -> None:
    """End this process when its parent is killed; otherwise it would wait for the next item for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker process has one
    wait_for_connections([parent.sentinel])
    os._exit(1)


def _run_in_process(item: Any) -> Outcome:
    return _workers[0].run(item)


class RayWorkerSlot:
    """A worker as an actor on any machine of a Ray cluster with free resources; paths must be valid on all machines."""

    def __init__(self, start: Callable[[], ProcessItem], threads: int, gpus: int):
        ray = _import_ray()
        self.deaths: tuple[type[BaseException], ...] = (ray.exceptions.RayActorError,)
        self._new_actor = partial(ray.remote(Worker).options(num_cpus=threads, num_gpus=gpus).remote, start)
        self._kill = ray.kill
        self._actor = self._new_actor()

    def submit(self, item: Any) -> "Future[Outcome]":
        """Start an item on the worker."""
        future: Future[Outcome] = self._actor.run.remote(item).future()
        return future

    def restart(self) -> None:
        """Start another actor on any machine."""
        self._actor = self._new_actor()

    def close(self) -> None:
        """Stop the actor."""
        self._kill(self._actor)


def connect_to_ray(address: str | None) -> dict[str, float]:
    """Connect to a running Ray cluster, and return its resources such as the numbers of `CPU` and `GPU`.

    `address` is `HOST:PORT` of the head; by default that of `RAY_ADDRESS`, else a cluster on this machine. Raises
    `InputError` if Ray is not installed, or there is no such cluster.
    """
    ray = _import_ray()
    chosen = address or os.environ.get("RAY_ADDRESS", "auto")
    try:
        if not ray.is_initialized():
            ray.init(address=chosen, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises exceptions of many types
        raise InputError(
            f"no Ray cluster answers at {chosen!r}: start one with `ray start --head`, or give --address HOST:PORT"
        ) from error
    return dict(ray.cluster_resources())


def _import_ray() -> Any:
    """Ray is an extra. Imported by name, so that types are checked in the same way with and without it."""
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise InputError("--engine ray needs Ray: pip install 'vosmem[ray]', or use --engine processes") from error
