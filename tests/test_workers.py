"""Distributing items over workers: each item is done once, whichever worker dies."""

import os
import signal
from concurrent.futures import Future
from functools import partial

import pytest

from vosmem import workers
from vosmem.errors import InputError
from vosmem.workers import MAX_ATTEMPTS, VISIBLE, Outcome, ProcessWorkerSlot, Worker, distribute, gpu_names

ITEMS, RESULT = list("abcde"), "result"


class Death(Exception):
    pass


class DyingSlot:
    """Processes items at once, and dies at an item as often as `deaths_of` says."""

    deaths = (Death,)

    def __init__(self, deaths_of):
        self.deaths_of, self.restarts, self.closed, self.started = deaths_of, 0, False, []

    def submit(self, item):
        assert not self.closed
        self.started.append(item)
        future = Future()
        if self.deaths_of.get(item, 0):
            self.deaths_of[item] -= 1
            future.set_exception(Death("killed\nby someone"))
        else:
            future.set_result(Outcome(result=RESULT))
        return future

    def restart(self):
        self.restarts += 1

    def close(self):
        self.closed = True


def outcomes_of(items, slots, on_event=lambda item, event: None):
    return dict(distribute(items, slots, on_event, "use fewer workers"))


@pytest.mark.parametrize("num_slots", [1, 2, 7])
def test_an_item_whose_worker_died_is_done_again(num_slots):
    deaths, events = {"b": 1, "d": MAX_ATTEMPTS - 1}, []
    slots = [DyingSlot(deaths) for _ in range(num_slots)]
    outcomes = outcomes_of(ITEMS, slots, lambda item, event: events.append(f"{item}: {event}"))
    assert sorted(outcomes) == ITEMS and all(outcome.result is RESULT for outcome in outcomes.values())
    assert {name: outcome.attempts for name, outcome in outcomes.items()} == {**dict.fromkeys("ace", 1), "b": 2, "d": 3}
    assert sum(slot.restarts for slot in slots) == 3 and all(slot.closed for slot in slots)
    assert sum("died (killed by someone)" in event for event in events) == 3 and "b: started, attempt 2" in events


def test_an_item_that_kills_every_worker_is_given_up_and_the_others_are_done():
    slot = DyingSlot({"a": 99})
    outcomes = outcomes_of(ITEMS, [slot])
    error = outcomes["a"].result_or_error()
    assert isinstance(error, InputError) and f"died {MAX_ATTEMPTS} times" in str(error)
    assert "use fewer workers" in str(error)
    assert slot.started.count("a") == MAX_ATTEMPTS and all(outcomes[name].result for name in "bcde")


def test_slots_are_closed_when_a_run_stops_early():
    slot = DyingSlot({})
    running = distribute(ITEMS, [slot], lambda item, event: None, "")
    next(running)
    running.close()
    assert slot.closed and slot.started == ["a"]


def test_a_worker_is_started_once_and_returns_errors_as_values():
    starts = []
    errors = {"b": InputError("no mask"), "c": OSError(28, "No space left"), "d": RuntimeError("out of\nmemory")}

    def start():
        starts.append(1)

        def process(item):
            if item in errors:
                raise errors[item]
            return RESULT

        return process

    worker = Worker(start)
    a, b, c, d, e = map(worker.run, ITEMS)
    assert starts == [1] and a.result_or_error() is RESULT and e.result_or_error() is RESULT and ":" in a.worker
    assert b.result_or_error() is errors["b"]
    with pytest.raises(OSError, match="No space left"):
        c.result_or_error()
    assert str(d.result_or_error()) == "RuntimeError: out of memory; the log has details" and "raise errors" in d.trace


def test_a_worker_that_cannot_be_started_stops_the_run():
    def start():
        raise InputError("checkpoint 'x' not found")

    with pytest.raises(InputError, match="not found"):
        Worker(start).run(ITEMS[0]).result_or_error()


def start_one_that_dies_of(item, folder):
    """What is started returns a result, except that the first time it is given `item` its process is killed."""

    def process(given):
        if given == item and not (folder / item).exists():
            (folder / item).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return RESULT

    return process


def test_a_process_that_is_killed_is_replaced(tmp_path):
    slot = ProcessWorkerSlot(partial(start_one_that_dies_of, "b", tmp_path), 0, 1)
    outcomes = outcomes_of(ITEMS[:3], [slot])
    assert {name: outcome.attempts for name, outcome in outcomes.items()} == {"a": 1, "b": 2, "c": 1}
    first, second, third = (outcomes[name].worker for name in "acb")
    assert first != second == third and not first.endswith(f":{os.getpid()}")


@pytest.mark.parametrize(
    ("listed", "count", "expected"),
    [
        (None, 0, []),
        (None, 2, ["0", "1"]),
        ("", 0, []),
        ("2,3", 2, ["2", "3"]),
        ("GPU-aa, GPU-bb", 2, ["GPU-aa", "GPU-bb"]),
        ("0,7", 1, ["0"]),  # CUDA ignores entries from the first that does not exist on
        ("MIG-aa,MIG-bb", 1, ["MIG-aa", "MIG-bb"]),  # a process can use one part, so PyTorch counts one
    ],
)
def test_names_of_gpus_are_those_that_the_process_may_use(listed, count, expected, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    monkeypatch.delenv(VISIBLE, raising=False)
    if listed is not None:
        monkeypatch.setenv(VISIBLE, listed)
    assert gpu_names() == expected


@pytest.mark.parametrize(("index", "expected"), [(0, "GPU-aa"), (1, "GPU-bb"), (2, "GPU-aa")])
def test_a_worker_sees_one_gpu(index, expected, monkeypatch):
    """Workers beyond the number of GPUs share them. Counting would start CUDA in a worker, which then sees all."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.set_num_threads", lambda number: None)
    monkeypatch.setattr(workers, "_exit_with_parent", lambda: None)
    monkeypatch.setattr(workers, "_workers", [])
    monkeypatch.setenv(VISIBLE, "GPU-aa,GPU-bb")
    slot = ProcessWorkerSlot(str, index, 1)
    monkeypatch.setattr("torch.cuda.device_count", lambda: pytest.fail("the worker counts the GPUs"))
    workers._start_in_process(*slot._arguments)
    assert os.environ[VISIBLE] == expected
