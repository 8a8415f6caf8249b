"""Requests that come at the same time: a page has several threads, and a visitor several tabs."""

import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

from tests.app.conftest import COUNT
from tests.messages import naming
from tests.segmentation.made import StillMethod, write_frames
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

MEET = 0.5  # seconds in which threads that can meet do
ENOUGH = 20.0  # in which anything that is to happen has happened
BEGUN = []  # propagations; one that nobody keeps is stopped


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def begin(session):
    """Begin a propagation, as a page does."""
    BEGUN.append(session.propagate("forward"))
    return next(BEGUN[-1])


@pytest.fixture
def held(still, monkeypatch):
    """A session whose propagations wait at their first frame until the event is set."""
    gate = threading.Event()
    make = still.segmenter.propagator
    monkeypatch.setattr(still.segmenter, "propagator", lambda **options: gate.wait(ENOUGH) and make())
    still.draw(0, 1, [(20, 20)], 6)
    yield still, gate
    gate.set()
    still.stop(ENOUGH)
    BEGUN.clear()


def example(name, during=lambda: None):
    """Writes a video of that name for `open_example`; something else happens just before."""

    def write(folder):
        during()
        write_frames(folder / name, folder / "m.png", 2, (48, 80))
        (folder / "m.png").unlink()
        return folder / name, np.ones((48, 80), np.uint16)

    return write


def entries(session):
    return sorted(path.name for path in session.folder.iterdir() if path.is_dir())


def test_a_video_does_not_take_the_place_of_one_whose_propagation_began_meanwhile(held):
    session, _ = held
    before, project = entries(session), session.project
    with pytest.raises(InputError, match="propagation is running"):
        session.open_example(example("other", during=lambda: begin(session)))
    assert session.project is project and entries(session) == before


def test_of_two_videos_opened_at_once_the_one_asked_for_last_stays(session):
    with pytest.raises(InputError, match="another video was opened meanwhile"):
        session.open_example(example("first", during=lambda: session.open_example(example("second"))))
    assert session.project.name == "second"
    assert entries(session) == [session.project.folder.name]


def test_a_bad_video_asked_for_last_does_not_keep_the_one_before_out(session, tmp_path):
    (tmp_path / "mine" / "bad.mp4").write_bytes(b"no video")

    def open_bad():
        with pytest.raises(InputError, match="cannot be read"):
            session.open([session.folder / "bad.mp4"])

    session.open_example(example("first", during=open_bad))
    assert session.project.name == "first"


def test_an_example_has_its_mask_before_anybody_sees_it(session, monkeypatch):
    seen, set_mask = [], Project.set_mask
    monkeypatch.setattr(
        Project, "set_mask", lambda self, *rest: (seen.append(session.project is self), set_mask(self, *rest))[1]
    )
    session.open_example(example("fresh"))
    assert seen == [False] and session.project.object_ids == (1,)


def test_a_visit_that_ends_while_a_video_is_opened_leaves_nothing(session):
    with pytest.raises(InputError, match="session has ended: reload"):
        session.open_example(example("late", during=session.close))
    assert not session.folder.exists() and not session.is_open
    with pytest.raises(InputError, match="session has ended: reload"):
        session.draw(0, 1, [(1, 1)], 2)


def test_a_stroke_is_whole_before_a_propagation_begins(held, pool, monkeypatch):
    session, _ = held
    drawing, draw_on = threading.Event(), threading.Event()
    draw_stroke = session_module.draw_stroke

    def slowly(*arguments):
        drawing.set()
        assert draw_on.wait(ENOUGH)
        return draw_stroke(*arguments)

    monkeypatch.setattr(session_module, "draw_stroke", slowly)
    stroke = pool.submit(session.draw, 2, 2, [(60, 30)], 6)
    assert drawing.wait(ENOUGH)
    begun = pool.submit(begin, session)
    with suppress(TimeoutError):
        begun.result(MEET)
    assert not session.is_propagating
    draw_on.set()
    stroke.result(ENOUGH)
    begun.result(ENOUGH)
    assert session._job.video.object_ids == (1, 2)


def test_of_two_propagations_asked_for_at_once_one_begins(held, pool, monkeypatch):
    session, _ = held
    both, video = threading.Barrier(2), Project.video

    def meeting(self):
        with suppress(threading.BrokenBarrierError):
            both.wait(MEET)
        return video(self)

    monkeypatch.setattr(Project, "video", meeting)
    tasks = [pool.submit(begin, session) for _ in range(2)]
    refused = [error for task in tasks if (error := task.exception(ENOUGH)) is not None]
    assert [str(error) for error in refused] == ["a propagation is running: wait for it, or stop it"]


def test_a_stop_in_the_moment_of_the_beginning_stops(still, pool, monkeypatch):
    still.draw(0, 1, [(20, 20)], 6)
    stopping, video = [], Project.video

    def asked_to_stop(self):
        stopping.append(pool.submit(still.stop))
        with suppress(TimeoutError):
            stopping[0].result(MEET)
        return video(self)

    monkeypatch.setattr(Project, "video", asked_to_stop)
    monkeypatch.setattr(still.segmenter, "propagator", lambda **options: stopping[0].result(ENOUGH) or StillMethod())
    list(still.propagate("forward"))
    assert len(still.project.results.done) < COUNT


def test_a_propagation_whose_thread_cannot_be_started_is_over(still, monkeypatch):
    class NoThreads(ThreadPoolExecutor):
        def submit(self, *arguments, **options):
            raise RuntimeError("can't start new thread")

    still.draw(0, 1, [(20, 20)], 6)
    monkeypatch.setattr(job_module, "ThreadPoolExecutor", NoThreads)
    with pytest.raises(RuntimeError, match="can't start"):
        next(still.propagate("forward"))
    assert not still.is_propagating
    still.draw(0, 1, [(40, 20)], 6)


def test_masks_do_not_change_while_they_are_packed(still, monkeypatch):
    still.draw(0, 1, [(20, 20)], 6)
    list(still.propagate("forward"))

    class Slow(zipfile.ZipFile):
        def write(self, path, name):
            if name.endswith("00003.png"):
                with pytest.raises(InputError, match=naming("file for download", "wait")):
                    still.draw(0, 1, [(60, 30)], 6)
            super().write(path, name)

    monkeypatch.setattr(results_module.zipfile, "ZipFile", Slow)
    older = still.masks_file().read_bytes()
    still.draw(0, 1, [(60, 30)], 6)
    assert still.masks_file().read_bytes() != older


def test_files_to_take_away_are_made_one_after_the_other(still, pool, monkeypatch):
    """Both need the given masks in their folder, and the overlay video."""
    still.draw(0, 1, [(20, 20)], 6)
    list(still.propagate("forward"))
    both, together, write = threading.Barrier(2), [], Results.write_overlay

    def meeting(self, video):
        with suppress(threading.BrokenBarrierError):
            both.wait(MEET)
            together.append(video)
        return write(self, video)

    monkeypatch.setattr(Results, "write_overlay", meeting)
    tasks = [pool.submit(still.overlay_file), pool.submit(still.report_file, {})]
    assert all(task.result(ENOUGH).stat().st_size for task in tasks)
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


def test_a_mask_is_read_to_its_end_before_it_is_dropped(still, pool, monkeypatch):
    still.draw(0, 1, [(20, 20)], 6)
    list(still.propagate("forward"))
    read, dropping = results_module.read_mask, []

    def slowly(path, **options):
        dropping.append(pool.submit(still.project.results.set_mask, 4, None))
        with suppress(TimeoutError):
            dropping[0].result(MEET)
        return read(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(results_module, "read_mask", slowly)
        assert (still.project.results.ids(4) == 1).any()
    dropping[0].result(ENOUGH)
    assert still.project.results.ids(4) is None


def test_a_visitor_in_the_middle_of_a_step_does_not_make_room(still, tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_SESSIONS", 2)
    store = SessionStore(tmp_path / "mine", still.segmenter, Limits(), None, {})
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


def test_coming_back_counts_as_being_there(still, tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "MAX_SESSIONS", 2)
    store = SessionStore(tmp_path / "mine", still.segmenter, Limits(), None, {})
    first, second = store.enter(None), store.enter(None)
    assert store.enter(first) == first
    store.enter(None)
    assert store.session(first).folder.exists()
    with pytest.raises(InputError, match="session has ended"):
        store.session(second)
