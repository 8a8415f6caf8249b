"""Videos over workers: each is done once, whoever dies."""

import os
import signal
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from vosmem.errors import InputError
from vosmem.inputs.open import VideoInput
from vosmem.segmentation.journal import LOG, TABLE, Journal
from vosmem.segmentation.processes import ProcessWorkerSlot
from vosmem.segmentation.spread import MOST_ATTEMPTS, spread
from vosmem.segmentation.video import VideoResult
from vosmem.segmentation.worker import Outcome, SegmentationWorker

VIDEOS = [VideoInput(name, Path(name), None, False, None, 50, False) for name in "abcde"]
RESULT = VideoResult(Path("out"), 3, seconds=1.5)


class Death(Exception):
    pass


class Fragile:
    """Does what it is given at once, unless the next of `deaths_at` videos kills it."""

    deaths = (Death,)

    def __init__(self, deaths_of):
        self.deaths_of, self.restarts, self.closed, self.taken = deaths_of, 0, False, []

    def submit(self, video):
        assert not self.closed
        self.taken.append(video.name)
        future = Future()
        if self.deaths_of.get(video.name, 0):
            self.deaths_of[video.name] -= 1
            future.set_exception(Death("killed\nby someone"))
        else:
            future.set_result(Outcome(result=RESULT))
        return future

    def restart(self):
        self.restarts += 1

    def close(self):
        self.closed = True


@pytest.mark.parametrize("num_slots", [1, 2, 7])
def test_a_video_of_a_worker_that_died_is_done_again(num_slots):
    deaths, events = {"b": 1, "d": MOST_ATTEMPTS - 1}, []
    slots = [Fragile(deaths) for _ in range(num_slots)]
    outcomes = {video.name: outcome for video, outcome in spread(VIDEOS, slots, events.append)}
    assert sorted(outcomes) == list("abcde") and all(outcome.result is RESULT for outcome in outcomes.values())
    assert {name: outcome.attempts for name, outcome in outcomes.items()} == {**dict.fromkeys("ace", 1), "b": 2, "d": 3}
    assert sum(slot.restarts for slot in slots) == 3 and all(slot.closed for slot in slots)
    assert sum("died (killed by someone)" in event for event in events) == 3 and "b: begun, attempt 2" in events


def test_a_video_that_kills_every_worker_is_given_up_and_the_others_are_done():
    slot = Fragile({"a": 99})
    outcomes = {video.name: outcome for video, outcome in spread(VIDEOS, [slot], lambda event: None)}
    assert isinstance(outcomes["a"].told(), InputError) and f"died {MOST_ATTEMPTS} times" in str(outcomes["a"].error)
    assert slot.taken.count("a") == MOST_ATTEMPTS and all(outcomes[name].result for name in "bcde")


def test_workers_are_let_go_by_a_run_that_stops():
    slot = Fragile({})
    running = spread(VIDEOS, [slot], lambda event: None)
    next(running)
    running.close()
    assert slot.closed and slot.taken == ["a"]


def test_a_worker_is_made_once_and_hands_errors_back():
    made, errors = (
        [],
        {"b": InputError("no mask"), "c": OSError(28, "No space left"), "d": RuntimeError("out of\nmemory")},
    )

    def start():
        made.append(1)

        def segment(video):
            if video.name in errors:
                raise errors[video.name]
            return RESULT

        return segment

    worker = SegmentationWorker(start)
    a, b, c, d, e = [worker.run(video) for video in VIDEOS]
    assert made == [1] and a.told() is RESULT and e.told() is RESULT and ":" in a.worker
    assert b.told() is errors["b"]
    with pytest.raises(OSError, match="No space left"):
        c.told()
    assert str(d.told()) == "RuntimeError: out of memory; the log says where" and "raise errors" in d.trace


def test_a_worker_that_cannot_be_made_stops_the_run():
    def start():
        raise InputError("checkpoint 'x' not found")

    with pytest.raises(InputError, match="not found"):
        SegmentationWorker(start).run(VIDEOS[0]).told()


def test_the_journal_of_a_run_that_is_stopped(tmp_path):
    done = Outcome(result=RESULT, worker="host:1", attempts=2)

    def stopped():
        with Journal(tmp_path / "out") as journal:
            journal.note("2 videos")
            journal.add("a", done)
            journal.add("b", replace(done, result=VideoResult(Path("out"), 4, skipped=True)))
            journal.add("c, d", Outcome(error=InputError("no mask"), trace="Traceback\n  line\n"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    table = pd.read_csv(tmp_path / "out" / TABLE)
    assert list(table["video"]) == ["a", "b", "c, d"] and list(table["state"]) == ["done", "done before", "failed"]
    assert list(table["frames"])[:2] == [3, 4] and list(table["attempts"]) == [2, 2, 1]
    assert table["error"][2] == "no mask" and table["worker"][0] == "host:1"
    with Journal(tmp_path / "out"):
        pass
    lines = (tmp_path / "out" / LOG).read_text().splitlines()
    assert len(lines) == 6 and lines[1].endswith(" a: done, by host:1") and lines[4:] == [lines[4], "  line"]


def start_one_that_dies_of(name, folder):
    """Segments nothing; the first time that it is given the video of a name, its process is killed."""

    def segment(video):
        if video.name == name and not (folder / name).exists():
            (folder / name).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return RESULT

    return segment


def test_a_process_that_is_killed_is_replaced(tmp_path):
    slot = ProcessWorkerSlot(partial(start_one_that_dies_of, "b", tmp_path), 0, 1)
    outcomes = {video.name: outcome for video, outcome in spread(VIDEOS[:3], [slot], lambda event: None)}
    assert {name: outcome.attempts for name, outcome in outcomes.items()} == {"a": 1, "b": 2, "c": 1}
    first, second, third = (outcomes[name].worker for name in "acb")
    assert first != second == third and not first.endswith(f":{os.getpid()}")
