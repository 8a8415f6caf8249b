"""The values of the page's components: they reflect the session, and escape names."""

import json
import re

import numpy as np
import pytest
import torch

from tests.segmentation.made import write_frames
from vosmem.app import views
from vosmem.app.propagation_job import Progress
from vosmem.app.session import Session
from vosmem.app.uploads import Limits
from vosmem.data.decoding.notes import Decision
from vosmem.inference.engine.engine import Engine
from vosmem.inference.sequences.streaming import Segmenter


@pytest.fixture
def session(tmp_path, small_stm):
    write_frames(tmp_path / "upload", tmp_path / "mask.png", 3)
    session = Session(tmp_path / "mine", Segmenter(small_stm, Engine(torch.device("cpu"))), Limits(), None)
    (tmp_path / "upload" / "00001.png").rename(tmp_path / "upload" / "00001<b>.png")
    session.open(sorted((tmp_path / "upload").iterdir()))
    return session


def test_the_canvas_gets_the_frame_its_objects_and_one_more(session):
    session.draw(1, 2, [(20, 20)], 6)
    canvas = views.canvas(session, 1)
    assert (canvas["width"], canvas["height"], canvas["t"], canvas["count"], canvas["locked"]) == (80, 48, 1, 3, False)
    assert [entry["id"] for entry in canvas["objects"]] == [2, 3]
    assert canvas["caption"] == "frames, frame 00001<b>, mask given"
    assert views.canvas(session, 99)["t"] == 2
    assert json.loads(json.dumps(canvas)) == canvas


def test_the_status_tells_what_comes_next(session, tmp_path):
    empty = Session(tmp_path / "other", session.segmenter, Limits(), None)
    assert views.canvas(empty, 0) is None and views.charts(empty) == ""
    assert "Open a video" in views.status(empty)
    assert "Mark an object" in views.status(session)
    session.draw(1, 1, [(20, 20)], 6)
    assert "1 object marked" in views.status(session)
    list(session.propagate("forward"))
    assert "2 of 3 frames have masks" in views.status(session)
    list(session.propagate("backward"))
    assert "All 3 frames have masks" in views.status(session)


def test_charts_have_a_curve_for_each_object_and_escape_names(session):
    session.draw(0, 1, [(20, 20)], 6)
    session.draw(0, 4, [(60, 30)], 6)
    list(session.propagate("forward"))
    page = views.charts(session)
    assert page.count("<polyline") == 2 and "object 4" in page
    assert {int(t) for t in re.findall(r'data-go="(\d+)"', page.split("Frames to check")[-1])} == {
        check.t for check in session.project.results.checks()
    }
    assert "<b>.png" not in page and "00001<b>" not in page


def test_prompts_and_qualities_are_those_of_the_frame(session, no_refinement):
    session.mark(1, 2, (5, 5, 40, 40), [(20, 20, 1), (70, 40, 0)])
    canvas = views.canvas(session, 1)
    assert canvas["prompts"] == {"2": {"box": (5, 5, 40, 40), "points": [[20.0, 20.0, 1], [70.0, 40.0, 0]]}}
    assert len(canvas["notes"]) == 1 and "object 2 has a predicted quality" in canvas["notes"][0]
    assert views.canvas(session, 0)["prompts"] == {} and views.canvas(session, 0)["notes"] == []
    json.dumps(canvas)


def test_names_of_objects_are_shown_and_escaped(session):
    session.draw(0, 1, [(20, 20)], 6)
    session.rename(1, "a <b>cup</b>")
    list(session.propagate("forward"))
    assert [entry["name"] for entry in views.canvas(session, 0)["objects"]] == ["a <b>cup</b>", ""]
    assert "a &lt;b&gt;cup" in views.charts(session) and "<b>cup" not in views.charts(session)


def test_small_frames_are_evenly_spaced(session, monkeypatch):
    session.draw(0, 1, [(20, 20)], 6)
    list(session.propagate("forward"))
    strip = re.compile(r'class="strip">(.*?)</div>')
    assert re.findall(r'data-go="(\d+)"', strip.search(views.charts(session))[1]) == ["0", "1", "2"]
    monkeypatch.setattr(views, "STRIP", 1)
    assert re.findall(r'data-go="(\d+)"', strip.search(views.charts(session))[1]) == ["1"]


def test_progress_bar():
    bar = views.progress_bar(Progress(3, 12, 2), 1.5)
    assert 'value="3"' in bar and "3 of 12, 2.0 per second" in bar
    assert "starting" in views.progress_bar(Progress(0, 12, None), 0.0)


def test_next_to_an_object_with_a_high_id_a_new_one_can_be_chosen(session):
    mask = np.zeros_like(session.project.ids(0))
    mask[5:15, 5:15] = 255
    session.project.set_mask(0, mask)
    assert [entry["id"] for entry in views.canvas(session, 0)["objects"]] == [255, 1]


def test_notes_on_the_video_are_shown(session):
    assert "Notes" not in views.status(session)
    session.project.frames.notes = (Decision.EXIF_IGNORED.note(number=1, total=3, names="<b>.jpg"),)
    assert '<ul class="faint" aria-label="Notes"><li>EXIF asks' in views.status(session)
    assert "&lt;b&gt;.jpg" in views.status(session)
