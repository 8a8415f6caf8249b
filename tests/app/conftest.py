"""A session with a video, and a method that finds each object where it was."""

import pytest
import torch

from tests.segmentation.made import StillMethod, write_frames
from vosmem.app.session import Session
from vosmem.app.uploads import Limits
from vosmem.inference.engine.engine import Engine
from vosmem.inference.sequences.streaming import Segmenter

SIZE = (48, 80)
COUNT = 8


@pytest.fixture
def session(tmp_path, small_stm):
    """A video of two objects, open; whatever is written beside the session's folder fails the test."""
    write_frames(tmp_path / "upload", tmp_path / "mask" / "m.png", COUNT, SIZE)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    session = Session(tmp_path / "mine", Segmenter(small_stm, Engine(torch.device("cpu"))), Limits(), None)
    session.open(sorted((tmp_path / "upload").iterdir()))
    yield session
    after = {
        path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if session.folder not in (path, *path.parents)
    }
    assert after == before


class Whole(StillMethod):
    """Takes whole masks, as the page asks for."""

    def step(self, frame, mask=None, *, absent=()):
        if mask is not None and self.labels is not None:
            self.labels = torch.where(torch.isin(self.labels, mask.unique()), 0, self.labels)
        return super().step(frame, mask, absent=absent)


@pytest.fixture
def still(session, monkeypatch):
    """The same with a method that finds each object where its last mask was."""
    monkeypatch.setattr(session.segmenter, "propagator", lambda **options: Whole())
    return session


def all_ids(session):
    """What is shown of every frame."""
    return [session.project.ids(t) for t in range(COUNT)]
