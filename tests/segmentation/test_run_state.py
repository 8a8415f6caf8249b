"""An interrupted run continues, and its results equal an undisturbed run's byte for byte."""

import os
import random
import signal
from functools import partial

import pytest
import torch
from PIL import Image

from tests.segmentation.made import opened, repeatable, write_user_video
from vosmem.errors import InputError
from vosmem.inference.propagation.ensemble import make_propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.memory.policy import Adaptive, EveryN
from vosmem.segmentation import run_state
from vosmem.segmentation.frame_files import SegmentOptions
from vosmem.segmentation.run_state import STATE, RunState
from vosmem.segmentation.video import segment_video
from vosmem.stopping import Stopped

CPU = torch.device("cpu")
WRITTEN = ("overlay", "report", "coco")
EVERY_SECOND = EveryN(interval=2, max_frames=3)
NOVEL = Adaptive(threshold=0.0, least_certainty=0.0, eviction="novelty", max_frames=3)
USED = EveryN(interval=1, eviction="usage", max_frames=3, include_last=True)


class Killed(BaseException):
    """The run ends between two frames, as if its process was killed."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A video of fifteen frames and two objects, one of which appears late."""
    root = write_user_video(tmp_path_factory.mktemp("video"), num_frames=15, given=(2, 7))
    mask = Image.open(root / "masks" / "fish" / "002.png")
    mask.point(lambda value: 3 if value == 3 else 0).save(root / "masks" / "fish" / "002.png")
    return root


@pytest.fixture
def segment(root, small_stm):
    """Segment the video with STM or another method; `at_step` is called with the number of each step of the run."""

    def run(out, options=None, make_method=None, about=None, at_step=lambda step: None):
        steps = iter(range(1, 100))
        make_method = make_method or partial(make_propagator, small_stm, EVERY_SECOND, zoom=Zoom())
        options = SegmentOptions(write=WRITTEN) if options is None else options
        arguments = opened(root), make_method, CPU, out, options, about or {"network": "small"}, {}
        return segment_video(*arguments, on_progress=lambda progress: at_step(next(steps)))

    return run


@pytest.fixture
def always_saved(monkeypatch):
    monkeypatch.setattr(run_state, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(run_state, "SAVE_SHARE", 1e9)


def files(out):
    """All files but the record."""
    return {str(p.relative_to(out)): repeatable(p) for p in out.rglob("*") if p.is_file() and p.name != "run.json"}


def killed_at(last, number=0):
    """Raise at a step, or send a signal."""

    def at_step(step):
        if step == last:
            if not number:
                raise Killed
            os.kill(os.getpid(), number)

    return at_step


@pytest.mark.parametrize(
    ("name", "policy", "more", "direction", "soft"),
    [
        ("small_stm", EVERY_SECOND, {"zoom": Zoom()}, "both", True),
        ("small_stm", EVERY_SECOND, {"flip": True}, "forward", False),
        ("small_stcn", USED, {}, "forward", True),
        ("small_remn", NOVEL, {"zoom": Zoom()}, "backward", False),
    ],
)
def test_a_run_that_is_killed_ten_times_equals_an_undisturbed_one(
    request, segment, tmp_path, monkeypatch, name, policy, more, direction, soft
):
    """The state is saved after about half of the steps, so steps are repeated, too."""
    network, rng = request.getfixturevalue(name), random.Random(name + direction)
    monkeypatch.setattr(RunState, "is_due", lambda self: rng.random() < 0.6)
    options = SegmentOptions(direction, (*WRITTEN, "objects", *(["probabilities"] if soft else [])))
    once_more = partial(segment, options=options, make_method=partial(make_propagator, network, policy, **more))
    once_more(tmp_path / "whole")
    for _ in range(10):
        with pytest.raises(Killed):
            once_more(tmp_path / "killed", at_step=killed_at(rng.randint(1, 2)))
    result = once_more(tmp_path / "killed")
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert not result.skipped and (direction != "forward" or result.num_done_before > 2)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_frame_and_says_how_to_continue(segment, tmp_path, capsys, number, status):
    handler = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped:
        segment(tmp_path / "out", at_step=killed_at(6, number))
    assert stopped.value.code == status and signal.getsignal(number) is handler
    assert capsys.readouterr().err == (
        f"\nvosmem: video 'fish' was stopped by {number.name} after step 6 of 15: the same command continues it\n"
    )
    steps = []
    assert segment(tmp_path / "out", at_step=steps.append).num_done_before == 6
    assert steps == list(range(1, 10))
    segment(tmp_path / "whole")
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_a_second_ctrl_c_ends_the_run_at_once(segment, tmp_path):
    def twice(step):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        segment(tmp_path / "out", at_step=twice)


@pytest.mark.usefixtures("always_saved")
@pytest.mark.parametrize("fault", ["a mask is missing", "damaged", "other threads"])
def test_a_state_that_cannot_be_used_is_a_warning_and_the_run_starts_again(
    segment, tmp_path, monkeypatch, caplog, fault
):
    segment(tmp_path / "whole")
    out = tmp_path / "out"
    with pytest.raises(Killed):
        segment(out, at_step=killed_at(8))
    if fault == "a mask is missing":
        (out / "masks" / "004.png").unlink()
    elif fault == "damaged":
        content = bytearray((out / STATE).read_bytes())
        content[len(content) // 2] ^= 1
        (out / STATE).write_bytes(content)
    else:
        monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert segment(out).num_done_before == 0
    (warning,) = [record.message for record in caplog.records]
    assert warning.startswith(f"{str(out)!r} starts again: ")
    assert files(out) == files(tmp_path / "whole")


@pytest.mark.usefixtures("always_saved")
def test_a_changed_frame_is_one_line_and_changes_no_result(segment, root, tmp_path):
    out, picture = tmp_path / "out", root / "frames" / "fish" / "003.png"
    with pytest.raises(Killed):
        segment(out, at_step=killed_at(8))
    before = {path: path.read_bytes() for path in (out / "masks").iterdir()}
    content = picture.read_bytes()
    try:
        Image.open(picture).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(picture)
        with pytest.raises(InputError, match=r"'fish': frame 003 has changed since .*: name another output folder\Z"):
            segment(out)
    finally:
        picture.write_bytes(content)
    assert {path: path.read_bytes() for path in (out / "masks").iterdir()} == before
    assert segment(out).num_done_before == 7


@pytest.mark.usefixtures("always_saved")
@pytest.mark.parametrize("change", [{"options": SegmentOptions(direction="both")}, {"about": {"network": "other"}}])
def test_changed_weights_or_options_are_one_line(segment, tmp_path, change):
    with pytest.raises(Killed):
        segment(tmp_path / "out", at_step=killed_at(8))
    with pytest.raises(InputError, match="holds results of another input, network or option: name another"):
        segment(tmp_path / "out", **change)


@pytest.mark.usefixtures("always_saved")
def test_a_hidden_state_that_stayed_behind_is_not_used_for_other_options(segment, tmp_path, caplog):
    """`rm -r out/*` deletes the record but not hidden files."""
    with pytest.raises(Killed):
        segment(tmp_path / "out", at_step=killed_at(8))
    state = (tmp_path / "out" / STATE).read_bytes()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / STATE).write_bytes(state)
    assert segment(tmp_path / "new", about={"network": "other"}).num_done_before == 0
    assert "had other options" in caplog.text


@pytest.mark.usefixtures("always_saved")
def test_the_state_has_a_constant_size_and_is_removed_at_the_end(segment, tmp_path):
    sizes = []

    def measure(step):
        path = tmp_path / "out" / STATE
        sizes.append(path.stat().st_size if path.exists() else 0)

    segment(tmp_path / "out", at_step=measure)
    assert 0 < sizes[10] <= sizes[14] < sizes[10] + 2000  # rows of the tables
    assert not (tmp_path / "out" / STATE).exists()


@pytest.mark.usefixtures("always_saved")
def test_a_state_that_cannot_be_written_does_not_stop_the_run(segment, tmp_path, monkeypatch, caplog):
    def full_disk(content, file):
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", full_disk)
    assert segment(tmp_path / "out").num_frames == 15
    assert "an interrupted run would start again" in caplog.text
