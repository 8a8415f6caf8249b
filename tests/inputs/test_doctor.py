"""The doctor reports all problems, and knows whether a run would work."""

import json

import pytest

from tests.inputs.made import write_clip, write_frames, write_mask
from vosmem.inputs.doctor import inspect
from vosmem.inputs.open import open_videos


@pytest.fixture
def clip(tmp_path):
    return write_frames(tmp_path / "clip", [f"{t:05d}" for t in range(6)])


def test_a_good_input(tmp_path, clip):
    for name, ids in (("00000", [4]), ("00003", [4, 9])):
        write_mask(tmp_path / "masks" / f"{name}.png", ids)
    diagnosis = inspect(clip, tmp_path / "masks")
    (video,) = diagnosis.videos
    assert diagnosis.works and not video.problems and not diagnosis.problems
    assert (video.name, video.num_frames, video.size, video.first, video.last) == (
        "clip",
        6,
        (64, 48),
        "00000",
        "00005",
    )
    assert video.given_at == {4: 0, 9: 3}
    assert [dict(record.areas) for record in video.records] == [{4: 144}, {4: 144, 9: 144}]
    assert [record.kind for record in video.records] == ["grey", "grey"]
    assert video.masks_used == ["00000.png", "00003.png"]


def test_all_problems_are_reported_at_once(tmp_path, clip):
    (clip / "00002.png").write_bytes(b"no picture")
    write_frames(clip, ["00004"], size=(32, 20))
    masks = tmp_path / "masks"
    write_mask(masks / "00000.png", [1], size=(32, 24))
    for name in ("00001.png", "00005.png"):
        masks.joinpath(name).write_bytes(b"no mask")
    write_mask(masks / "other.png", [1])
    diagnosis = inspect(clip, masks)
    problems, notes = diagnosis.videos[0].problems, diagnosis.videos[0].notes
    assert not diagnosis.works and len(problems) == 4
    for problem, part in zip(problems, ("frame 2: ", "frame 4: ", "00001.png", "00005.png"), strict=True):
        assert part in problem
    assert any("32x24" in note for note in notes) and any("'other'" in note for note in notes)


def test_thorough_decodes_every_frame(tmp_path):
    clip = write_frames(tmp_path / "clip", ["0", "1"], size=(300, 200))
    content = (clip / "1.png").read_bytes()
    (clip / "1.png").write_bytes(content[: len(content) // 2])
    mask = write_mask(tmp_path / "m.png", [1], size=(300, 200))
    assert inspect(clip, mask).works
    thorough = inspect(clip, mask, thorough=True)
    assert not thorough.works and "frame 1: " in thorough.videos[0].problems[0]


def test_a_cut_video_is_found_without_decoding(tmp_path):
    path = write_clip(tmp_path / "a.mp4", num_frames=60)
    content = path.read_bytes()
    path.write_bytes(content[: int(0.9 * len(content))])
    problems = inspect(path, write_mask(tmp_path / "m.png", [1])).videos[0].problems
    assert all("a.mp4" in problem for problem in problems) and "the file ends before it" in problems[-1]


def test_at_most_ten_broken_frames_are_listed(tmp_path):
    clip = write_frames(tmp_path / "clip", [str(t) for t in range(15)])
    for t in range(1, 15):
        (clip / f"{t}.png").write_bytes(b"")
    problems = inspect(clip, write_mask(tmp_path / "m.png", [1])).videos[0].problems
    assert len(problems) == 11 and problems[-1] == "and 4 more frames"


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "no mask"])
def test_bad_input_raises_nothing(tmp_path, kind):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no video")
    source = write_frames(tmp_path / "clip", ["0"]) if kind == "no mask" else tmp_path / kind
    diagnosis = inspect(source, None)
    assert not diagnosis.works
    assert diagnosis.problems or diagnosis.videos[0].problems


@pytest.mark.parametrize("ids", [[1], []])
def test_works_equals_whether_the_video_opens(tmp_path, clip, ids):
    mask = write_mask(tmp_path / "m.png", ids)
    diagnosis = inspect(clip, mask)
    if ids:
        assert diagnosis.works
        assert diagnosis.videos[0].notes == open_videos(clip, mask)[0].open().notes
    else:
        assert not diagnosis.works


def test_a_diagnosis_can_be_written_as_json(tmp_path, clip):
    diagnosis = inspect(clip, write_mask(tmp_path / "m.png", [3]))
    read = json.loads(json.dumps(diagnosis.as_json()))
    assert read["works"] and read["videos"][0]["given_at"] == {"3": 0}
