"""Threads around the network: items keep their order, errors are raised, queues are bounded."""

import threading

import pytest

from vosmem.inference.engine.background import BackgroundWriter, prefetch


def numbers(made, stop, fail_at=None):
    for number in range(stop):
        if number == fail_at:
            raise ValueError(f"at {number}")
        made.append(number)
        yield number


@pytest.mark.parametrize("depth", [1, 3, 50])
def test_prefetch_yields_all_items_in_order(depth):
    assert list(prefetch(numbers([], 20), depth)) == list(range(20))


def test_prefetch_makes_at_most_depth_items_ahead():
    made = []
    items = prefetch(numbers(made, 20), depth=3)
    assert next(items) == 0
    items.close()  # waits for what is being made
    assert len(made) <= 1 + 3


def test_prefetch_works_while_the_consumer_is_busy():
    second_made = threading.Event()

    def items():
        yield 0
        second_made.set()
        yield 1

    ahead_of = prefetch(items())
    assert next(ahead_of) == 0
    assert second_made.wait(timeout=10)


def test_an_error_is_raised_in_place_of_its_item():
    items = prefetch(numbers([], 20, fail_at=3))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="at 3"):
        next(items)


def test_a_consumer_that_stops_early_leaves_no_thread():
    items = prefetch(numbers([], 1000))
    next(items)
    items.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_tasks_run_in_order_and_finish_before_exit():
    done = []
    with BackgroundWriter(depth=2) as behind:
        for number in range(20):
            behind.submit(done.append, number)
    assert done == list(range(20))


def test_submit_waits_when_the_queue_is_full():
    go, done = threading.Event(), []

    def task():
        go.wait(timeout=10)
        done.append(None)

    with BackgroundWriter(depth=2) as behind:
        behind.submit(task)
        behind.submit(task)
        threading.Timer(0.05, go.set).start()
        behind.submit(task)
        assert done  # the first had to be done


def failing():
    raise OSError("disk full")


def submit_all(*tasks, depth=4):
    with BackgroundWriter(depth) as behind:
        for task in tasks:
            behind.submit(task)


def test_a_failed_task_raises_at_the_next_submit_or_at_exit():
    with pytest.raises(OSError, match="disk full"):
        submit_all(failing, print, depth=1)
    with pytest.raises(OSError, match="disk full"):
        submit_all(failing)


def wrong():
    raise KeyError


def test_an_error_in_the_block_takes_precedence_over_one_of_a_task():
    def consume():
        with BackgroundWriter() as behind:
            behind.submit(failing)
            wrong()

    with pytest.raises(KeyError):
        consume()
