"""Decoding, network and writing at the same time: threads with short queues between them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

Item = TypeVar("Item")
_END = object()


def prefetch(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:
    """The same items, made in a thread of their own while the consumer works on those before.

    Args:
        items: what to iterate; no more than `depth` of its items wait at a time.
        depth: items made ahead, 1 or more.

    Raises:
        Exception: whatever making an item raises, when its turn comes.

    Example:
        >>> list(ahead(range(3)))
        [0, 1, 2]
    """
    source = iter(items)
    # Each task asks for one item, so nothing is left hanging when the consumer stops early.
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        waiting = deque(pool.submit(next, source, _END) for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(pool.submit(next, source, _END))
                yield item  # type: ignore[misc]  # the end is no item
        finally:
            for future in waiting:
                future.cancel()


class BackgroundWriter:
    """Does work in the order in which it is handed over, in a thread of its own; a context manager.

    Args:
        depth: tasks that may wait; handing over more waits for the first of them.

    Example:
        >>> done = []
        >>> with BackgroundWriter() as behind:
        ...     for number in range(3):
        ...         behind.submit(done.append, number)
        >>> done
        [0, 1, 2]
    """

    def __init__(self, depth: int = 4):
        self.depth = depth
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="behind")
        self._waiting: deque[Future[Any]] = deque()

    def submit(self, task: Callable[..., Any], *arguments: Any) -> None:
        """Hand over a task.

        Raises:
            Exception: whatever one of the tasks before it raised.
        """
        while self._waiting and (len(self._waiting) >= self.depth or self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(task, *arguments))

    def __enter__(self) -> "BackgroundWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for all tasks; an error of theirs comes out unless one is under way already."""
        failed = next((task for task in self._waiting if task.done() and task.exception() is not None), None)
        self._pool.shutdown(wait=True, cancel_futures=failed is not None)
        if error is None:
            for task in self._waiting:
                if not task.cancelled():
                    task.result()
