"""A session with a video, and a method that repeats the last mask of each object."""

import pytest
import torch

from tests.segmentation.made import RepeatMethod, write_frames
from vosmem.app.session import Session
from vosmem.app.uploads import Limits
from vosmem.inference.engine.engine import Engine
from vosmem.inference.prompts import first_mask
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.inputs.prompts import cut_out

SIZE = (48, 80)
COUNT = 8


@pytest.fixture
def session(tmp_path, small_stm):
    """A session with an open video of two objects; the test fails if a file outside its folder changes."""
    write_frames(tmp_path / "upload", tmp_path / "mask" / "m.png", COUNT, SIZE)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    session = Session(tmp_path / "mine", Segmenter(small_stm, Engine(torch.device("cpu"))), Limits(), None)
    session.open(sorted((tmp_path / "upload").iterdir()))
    yield session
    after = {
        path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if session.folder not in (path, *path.parents)
    }
    assert after == before


@pytest.fixture
def no_refinement(monkeypatch):
    """First masks and corrections are those of GrabCut, so that random weights do not matter."""
    monkeypatch.setattr(first_mask, "_mask", lambda frame, prompt, *_: cut_out(frame, prompt))
    monkeypatch.setattr(first_mask, "refine", lambda network, frame, rough, *_: [rough])


class AuthoritativeMethod(RepeatMethod):
    """Treats given masks as authoritative, as the page requests."""

    def step(self, frame, mask=None, *, absent=()):
        if mask is not None and self.labels is not None:
            self.labels = torch.where(torch.isin(self.labels, mask.unique()), 0, self.labels)
        return super().step(frame, mask, absent=absent)


@pytest.fixture
def static(session, monkeypatch):
    """`session` with a method that repeats the last mask of each object."""
    monkeypatch.setattr(session.segmenter, "propagator", lambda **options: AuthoritativeMethod())
    return session


def all_ids(session):
    """The mask of every frame."""
    return [session.project.ids(t) for t in range(COUNT)]
