"""`vosmem doctor` through the console script."""

import json

import pytest
from PIL import Image

from tests.discs import two_discs
from tests.end_to_end.tiny import in_process, vosmem
from tests.inputs.made import write_clip, write_frames, write_mask
from vosmem.checkpoints.bundled import DEFAULT, default_weights

TAKEN = "stm_r18" if default_weights() is None else DEFAULT


def test_an_input_that_would_run(tmp_path):
    write_clip(tmp_path / "cat.mp4", num_frames=8)
    write_mask(tmp_path / "m.png", [3, 200])
    done = vosmem("doctor", "cat.mp4", "--mask", "m.png", "--start", "2", "--json", "new/d.json", cwd=tmp_path)
    for part in (
        "8 of 64x48, 25 frames/s",
        "frame 2",
        "OUT/masks/00000.png ... (palette, 8 files)",
        TAKEN,
        "go through",
    ):
        assert part in done.stdout
    (message,) = json.loads((tmp_path / "new" / "d.json").read_text())["videos"]
    assert message["given_at"] == {"3": 2, "200": 2}
    assert message["estimates"] and all(own["seconds"] > 0 and own["memory_bytes"] > 0 for own in message["estimates"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat.mp4", "m.png", "new"]


def test_a_data_set_with_one_broken_video(davis):
    (davis / "JPEGImages" / "480p" / "two" / "00003.jpg").write_bytes(b"")
    done = in_process("doctor", ".", cwd=davis, check=False)
    assert done.returncode == 1
    assert "frame 3: " in done.stdout and "a run would fail for 1 of 2 videos" in done.stdout
    assert "OUT/one/masks/00000.png" in done.stdout


def test_a_list_of_videos(tmp_path):
    for name in ("one", "two"):
        write_frames(tmp_path / "clips" / name, ["0", "1"])
    write_mask(tmp_path / "m.png", [3])
    rows = ["video,mask", "clips/one,m.png", "clips/two,m.png"]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    done = in_process("doctor", "list.csv", cwd=tmp_path)
    assert "OUT/one/masks/0.png" in done.stdout and "go through (2 videos)" in done.stdout
    (tmp_path / "list.csv").write_text("\n".join([*rows, "clips/three,m.png"]))
    done = in_process("doctor", "list.csv", cwd=tmp_path, check=False)
    assert done.returncode == 1 and "OUT/two/masks" in done.stdout
    assert "list.csv:4: video 'clips/three' is missing" in done.stdout
    assert "a run would fail for 1 of 3 videos" in done.stdout
    done = in_process("doctor", "list.csv", "--mask", "m.png", cwd=tmp_path, check=False)
    assert done.returncode == 1 and "names its masks" in done.stdout


@pytest.mark.parametrize("arguments", [["missing"], ["clip"], ["clip", "--mask", "none.png"]])
def test_what_would_fail_exits_with_1_in_plain_words(tmp_path, arguments):
    write_frames(tmp_path / "clip", ["0", "1"])
    done = in_process("doctor", *arguments, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "problem" in done.stdout and "Traceback" not in done.stdout


def test_a_report_that_cannot_be_written_is_one_line(tmp_path):
    write_frames(tmp_path / "clip", ["0"])
    (tmp_path / "file").write_text("no folder")
    done = in_process("doctor", "clip", "--json", "file/d.json", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("vosmem: 'file/d.json' cannot be written") and done.stderr.count("\n") == 1


def test_a_first_mask_is_made_and_its_quality_is_reported(tmp_path):
    (tmp_path / "clip").mkdir()
    for t in range(2):
        Image.fromarray(two_discs()[0]).save(tmp_path / "clip" / f"{t}.png")
    first = ("--box", "18,18,62,62", "--start", "1")
    done = in_process("doctor", "clip", *first, cwd=tmp_path)
    assert "the first mask of object 1 has a predicted quality of" in done.stdout
    assert "frame 1" in done.stdout and "go through" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip"]
    done = in_process("doctor", "clip", "--box", "1,1,2,2", cwd=tmp_path, check=False)
    assert done.returncode == 1 and "box (1, 1, 2, 2) covers less than 4 pixels" in done.stdout
