"""Laws of the threads around the network: same items, same order, no error lost, nothing without bound."""

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
def test_items_come_in_order_and_all_of_them(depth):
    assert list(prefetch(numbers([], 20), depth)) == list(range(20))


def test_no_more_than_depth_items_are_made_ahead():
    made = []
    items = prefetch(numbers(made, 20), depth=3)
    assert next(items) == 0
    items.close()  # waits for what is being made
    assert len(made) <= 1 + 3


def test_items_are_made_while_the_consumer_is_busy():
    second_made = threading.Event()

    def items():
        yield 0
        second_made.set()
        yield 1

    ahead_of = prefetch(items())
    assert next(ahead_of) == 0
    assert second_made.wait(timeout=10)


def test_an_error_comes_out_where_its_item_would():
    items = prefetch(numbers([], 20, fail_at=3))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="at 3"):
        next(items)


def test_a_consumer_that_stops_leaves_no_thread():
    items = prefetch(numbers([], 1000))
    next(items)
    items.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_tasks_are_done_in_order_before_the_end():
    done = []
    with BackgroundWriter(depth=2) as behind:
        for number in range(20):
            behind.submit(done.append, number)
    assert done == list(range(20))


def test_handing_over_waits_when_too_much_waits():
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


def hand_over(*tasks, depth=4):
    with BackgroundWriter(depth) as behind:
        for task in tasks:
            behind.submit(task)


def test_a_failed_task_is_told_of_at_the_next_one_or_at_the_end():
    with pytest.raises(OSError, match="disk full"):
        hand_over(failing, print, depth=1)
    with pytest.raises(OSError, match="disk full"):
        hand_over(failing)


def wrong():
    raise KeyError


def test_an_error_of_the_consumer_is_not_hidden_by_one_of_a_task():
    def consume():
        with BackgroundWriter() as behind:
            behind.submit(failing)
            wrong()

    with pytest.raises(KeyError):
        consume()
