"""Threads that decode frames and write results while the network runs."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

Item = TypeVar("Item")
_END = object()


def prefetch(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:
    """Iterate in a thread ahead of the consumer, by at most `depth` items; an error is raised in place of its item.

    Example:
        >>> list(prefetch(range(3)))
        [0, 1, 2]
    """
    source = iter(items)
    # Each task asks for one item, so nothing hangs if the consumer stops early.
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as pool:
        waiting = deque(pool.submit(next, source, _END) for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(pool.submit(next, source, _END))
                yield item  # type: ignore[misc]  # the end is no item
        finally:
            for future in waiting:
                future.cancel()


class BackgroundWriter:
    """Runs tasks in a thread, in order; a context manager that waits for all of them.

    Once `depth` tasks wait, a further `submit` waits for the first of them.

    Example:
        >>> done = []
        >>> with BackgroundWriter() as writer:
        ...     for number in range(3):
        ...         writer.submit(done.append, number)
        >>> done
        [0, 1, 2]
    """

    def __init__(self, depth: int = 4):
        self.depth = depth
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._waiting: deque[Future[Any]] = deque()

    def submit(self, task: Callable[..., Any], *arguments: Any) -> None:
        """Add a task, and raise what an earlier task raised."""
        while self._waiting and (len(self._waiting) >= self.depth or self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(task, *arguments))

    def flush(self) -> None:
        """Wait for all tasks so far, and raise what one raised."""
        while self._waiting:
            self._waiting.popleft().result()

    def __enter__(self) -> "BackgroundWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for all tasks, and raise the first task's error unless the block raised one."""
        failed = next((task for task in self._waiting if task.done() and task.exception() is not None), None)
        self._pool.shutdown(wait=True, cancel_futures=failed is not None)
        if error is None:
            for task in self._waiting:
                if not task.cancelled():
                    task.result()
