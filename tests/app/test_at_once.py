"""Concurrent requests: a page has several threads, and a visitor several tabs."""

import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

from tests.app.conftest import COUNT
from tests.messages import naming
from tests.segmentation.made import RepeatMethod, write_frames
from vosmem.app import project as project_module
from vosmem.app import propagation_job as job_module
from vosmem.app import results as results_module
from vosmem.app import session as session_module
from vosmem.app import session_store as store_module
from vosmem.app.project import Project
from vosmem.app.results import Results
from vosmem.app.session_store import SessionStore
from vosmem.app.uploads import Limits
from vosmem.errors import InputError

MEET_SECONDS = 0.5  # seconds in which threads meet if they can
TIMEOUT = 20.0
STARTED = []  # propagations, kept here since a discarded iterator stops its propagation


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def begin(session):
    """Start a propagation, as a page does."""
    STARTED.append(session.propagate("forward"))
    return next(STARTED[-1])


@pytest.fixture
def held(static, monkeypatch):
    """A session whose propagations wait at their first frame until the event is set."""
    gate = threading.Event()
    make = static.segmenter.propagator
    monkeypatch.setattr(static.segmenter, "propagator", lambda **options: gate.wait(TIMEOUT) and make())
    static.draw(0, 1, [(20, 20)], 6)
    yield static, gate
    gate.set()
    static.stop(TIMEOUT)
    STARTED.clear()


def example(name, during=lambda: None):
    """A function for `open_example` that calls `during`, then writes a video with the given name."""

    def write(folder):
        during()
        write_frames(folder / name, folder / "m.png", 2, (48, 80))
        (folder / "m.png").unlink()
        return folder / name, np.ones((48, 80), np.uint16)

    return write


def entries(session):
    return sorted(path.name for path in session.folder.iterdir() if path.is_dir())


def test_a_video_whose_propagation_was_started_meanwhile_stays_open(held):
    session, _ = held
    before, project = entries(session), session.project
    with pytest.raises(InputError, match="propagation is running"):
        session.open_example(example("other", during=lambda: begin(session)))
    assert session.project is project and entries(session) == before


def test_of_two_videos_opened_at_once_the_last_request_wins(session):
    with pytest.raises(InputError, match="another video was opened meanwhile"):
        session.open_example(example("first", during=lambda: session.open_example(example("second"))))
    assert session.project.name == "second"
    assert entries(session) == [session.project.folder.name]


def test_a_bad_video_requested_last_does_not_block_the_one_before(session, tmp_path):
    (tmp_path / "mine" / "bad.mp4").write_bytes(b"no video")

    def open_bad():
        with pytest.raises(InputError, match="cannot be read"):
            session.open([session.folder / "bad.mp4"])

    session.open_example(example("first", during=open_bad))
    assert session.project.name == "first"


def test_an_example_has_its_mask_before_it_is_shown(session, monkeypatch):
    seen, set_mask = [], Project.set_mask
    monkeypatch.setattr(
        Project, "set_mask", lambda self, *rest: (seen.append(session.project is self), set_mask(self, *rest))[1]
    )
    session.open_example(example("fresh"))
    assert seen == [False] and session.project.object_ids == (1,)


def test_a_session_closed_while_opening_a_video_leaves_no_files(session):
    with pytest.raises(InputError, match="session has ended: reload"):
        session.open_example(example("late", during=session.close))
    assert not session.folder.exists() and not session.is_open
    with pytest.raises(InputError, match="session has ended: reload"):
        session.draw(0, 1, [(1, 1)], 2)


def test_a_stroke_is_completed_before_a_propagation_starts(held, pool, monkeypatch):
    session, _ = held
    drawing, draw_on = threading.Event(), threading.Event()
    draw_stroke = session_module.draw_stroke

    def slowly(*arguments):
        drawing.set()
        assert draw_on.wait(TIMEOUT)
        return draw_stroke(*arguments)

    monkeypatch.setattr(session_module, "draw_stroke", slowly)
    stroke = pool.submit(session.draw, 2, 2, [(60, 30)], 6)
    assert drawing.wait(TIMEOUT)
    begun = pool.submit(begin, session)
    with suppress(TimeoutError):
        begun.result(MEET_SECONDS)
    assert not session.is_propagating
    draw_on.set()
    stroke.result(TIMEOUT)
    begun.result(TIMEOUT)
    assert session._job.video.object_ids == (1, 2)


def test_of_two_propagations_requested_at_once_one_starts(held, pool, monkeypatch):
    session, _ = held
    both, video = threading.Barrier(2), Project.video

    def meeting(self):
        with suppress(threading.BrokenBarrierError):
            both.wait(MEET_SECONDS)
        return video(self)

    monkeypatch.setattr(Project, "video", meeting)
    tasks = [pool.submit(begin, session) for _ in range(2)]
    refused = [error for task in tasks if (error := task.exception(TIMEOUT)) is not None]
    assert [str(error) for error in refused] == ["a propagation is running: wait for it, or stop it"]


def test_stop_during_the_start_of_a_propagation_stops_it(static, pool, monkeypatch):
    static.draw(0, 1, [(20, 20)], 6)
    stopping, video = [], Project.video

    def asked_to_stop(self):
        stopping.append(pool.submit(static.stop))
        with suppress(TimeoutError):
            stopping[0].result(MEET_SECONDS)
        return video(self)

    monkeypatch.setattr(Project, "video", asked_to_stop)
    monkeypatch.setattr(static.segmenter, "propagator", lambda **options: stopping[0].result(TIMEOUT) or RepeatMethod())
    list(static.propagate("forward"))
    assert len(static.project.results.done) < COUNT


def test_a_propagation_whose_thread_cannot_be_started_has_ended(static, monkeypatch):
    class NoThreads(ThreadPoolExecutor):
        def submit(self, *arguments, **options):
            raise RuntimeError("can't start new thread")

    static.draw(0, 1, [(20, 20)], 6)
    monkeypatch.setattr(job_module, "ThreadPoolExecutor", NoThreads)
    with pytest.raises(RuntimeError, match="can't start"):
        next(static.propagate("forward"))
    assert not static.is_propagating
    static.draw(0, 1, [(40, 20)], 6)


def test_masks_do_not_change_while_the_archive_is_written(static, monkeypatch):
    static.draw(0, 1, [(20, 20)], 6)
    list(static.propagate("forward"))

    class Slow(zipfile.ZipFile):
        def write(self, path, name):
            if name.endswith("00003.png"):
                with pytest.raises(InputError, match=naming("file for download", "wait")):
                    static.draw(0, 1, [(60, 30)], 6)
            super().write(path, name)

    monkeypatch.setattr(results_module.zipfile, "ZipFile", Slow)
    older = static.masks_file().read_bytes()
    static.draw(0, 1, [(60, 30)], 6)
    assert static.masks_file().read_bytes() != older


def test_files_for_download_are_made_one_after_the_other(static, pool, monkeypatch):
    """Both write the folder of given masks and the overlay video."""
    static.draw(0, 1, [(20, 20)], 6)
    list(static.propagate("forward"))
    both, together, write = threading.Barrier(2), [], Results.write_overlay

    def meeting(self, video):
        with suppress(threading.BrokenBarrierError):
            both.wait(MEET_SECONDS)
            together.append(video)
        return write(self, video)

    monkeypatch.setattr(Results, "write_overlay", meeting)
    tasks = [pool.submit(static.overlay_file), pool.submit(static.report_file, {})]
    assert all(task.result(TIMEOUT).stat().st_size for task in tasks)
    assert together == []


def test_masks_are_listed_while_another_is_drawn(session, monkeypatch):
    session.draw(0, 1, [(20, 20)], 6)
    session.draw(1, 2, [(20, 20)], 6)
    objects, once = project_module._object_ids, iter([True])

    def drawing(ids):
        if next(once, False):
            session.project.drawn.set_mask(5, np.full((48, 80), 3, np.uint16), frozenset(), None)
        return objects(ids)

    monkeypatch.setattr(project_module, "_object_ids", drawing)
    assert session.project.object_ids == (1, 2)
    assert session.project.object_ids == (1, 2, 3)


def test_a_mask_is_read_completely_before_it_is_deleted(static, pool, monkeypatch):
    static.draw(0, 1, [(20, 20)], 6)
    list(static.propagate("forward"))
    read, dropping = results_module.read_mask, []

    def slowly(path, **options):
        dropping.append(pool.submit(static.project.results.set_mask, 4, None))
        with suppress(TimeoutError):
            dropping[0].result(MEET_SECONDS)
        return read(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(results_module, "read_mask", slowly)
        assert (static.project.results.ids(4) == 1).any()
    dropping[0].result(TIMEOUT)
    assert static.project.results.ids(4) is None


def test_a_busy_session_is_not_ended_for_a_new_one(static, tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_SESSIONS", 2)
    store = SessionStore(tmp_path / "mine", static.segmenter, Limits(), None, {})
    first, second = store.enter(None), store.enter(None)
    busy = store.session(first)
    busy.open_example(example("longer"))
    store.session(second)
    video = Project.video

    def entering(self):
        store.enter(None)  # a third visitor, in the moment in which the first one's propagation begins
        return video(self)

    monkeypatch.setattr(Project, "video", entering)
    list(busy.propagate("forward"))
    assert busy.project.results.done == {0, 1}
    with pytest.raises(InputError, match="session has ended"):
        store.session(second)


def test_entering_again_counts_as_use_of_a_session(static, tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_SESSIONS", 2)
    store = SessionStore(tmp_path / "mine", static.segmenter, Limits(), None, {})
    first, second = store.enter(None), store.enter(None)
    assert store.enter(first) == first
    store.enter(None)
    assert store.session(first).folder.exists()
    with pytest.raises(InputError, match="session has ended"):
        store.session(second)
