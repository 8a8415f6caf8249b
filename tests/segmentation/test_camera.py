"""A camera is recorded and segmented; FFmpeg's test pattern stands in for the device."""

import os
import signal
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.tiny import in_process
from tests.segmentation.made import write_checkpoint
from vosmem.errors import InputError
from vosmem.segmentation import camera
from vosmem.segmentation.camera import Device, record_camera
from vosmem.stopping import Stopped

CAMERA = Path("camera:0")
PATTERN = "testsrc2=size=80x48:rate=10"


def plug(monkeypatch, pattern=PATTERN):
    monkeypatch.setattr(camera, "find_device", lambda name: Device(pattern, "lavfi", {}))


def count(path):
    with av.open(str(path)) as video:
        return sum(1 for _ in video.decode(video=0))


def test_a_camera_is_segmented_and_its_recording_is_used_again(tmp_path, monkeypatch):
    plug(monkeypatch)
    write_checkpoint(tmp_path / "tiny.ckpt")
    mask = np.zeros((48, 80), np.uint8)
    mask[10:30, 20:50] = 1
    Image.fromarray(mask).save(tmp_path / "mask.png")
    command = ("segment", "camera:0", "--mask", "mask.png", "--weights", "tiny.ckpt", "--device", "cpu")
    command = (*command, "--frames", ":4", "--output", "out", "--write")
    done = in_process(*command, "masks", cwd=tmp_path)
    assert "recording 4 frames, or until Ctrl-C" in done.stderr and "recorded 4 frames" in done.stderr
    with av.open(str(tmp_path / "out" / "camera.mp4")) as video:
        assert (video.streams.video[0].average_rate, video.streams.video[0].width) == (10, 80)
    assert len(list((tmp_path / "out" / "masks").iterdir())) == count(tmp_path / "out" / "camera.mp4") == 4
    monkeypatch.undo()
    again = in_process(*command, "masks,matte", cwd=tmp_path)
    assert "camera.mp4' is there already" in again.stderr and count(tmp_path / "out" / "matte.mp4") == 4


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, None), (signal.SIGTERM, Stopped)])
def test_a_signal_ends_a_recording_and_keeps_it(tmp_path, monkeypatch, number, raised):
    plug(monkeypatch)
    add = camera.VideoWriter.add

    def interrupted(self, frame):
        add(self, frame)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(camera.VideoWriter, "add", interrupted)
    if raised is None:
        assert record_camera(CAMERA, tmp_path) == tmp_path / "camera.mp4"
    else:
        with pytest.raises(raised):
            record_camera(CAMERA, tmp_path)
    assert count(tmp_path / "camera.mp4") == 1


def test_a_camera_that_is_disconnected_ends_the_recording(tmp_path, monkeypatch, capsys):
    plug(monkeypatch)
    decode = av.container.InputContainer.decode

    class Camera:
        """A device that fails after two frames."""

        def __init__(self, opened):
            self.opened, self.streams = opened, opened.streams

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.opened.close()

        def decode(self, stream):
            frames = decode(self.opened, stream)
            yield next(frames)
            yield next(frames)
            raise av.error.OSError(19, "No such device")

    opening = av.open
    monkeypatch.setattr(
        camera.av, "open", lambda file, *a, **k: opening(file, *a, **k) if a else Camera(opening(file, **k))
    )
    record_camera(CAMERA, tmp_path)
    monkeypatch.undo()
    assert "warning: the camera ended (No such device)" in capsys.readouterr().err
    assert count(tmp_path / "camera.mp4") == 2


def test_a_missing_camera_is_one_line(tmp_path, monkeypatch):
    done = in_process("segment", "camera:99", "--output", "out", "--box", "1,1,20,20", cwd=tmp_path, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert (
        "camera '/dev/video99' cannot be read (No such file or directory): connect it, or name another" in done.stderr
    )
    monkeypatch.setattr(camera, "find_device", lambda name: Device("0", "missing", {}))
    with pytest.raises(InputError, match=r"camera '0' cannot be read"):
        record_camera(CAMERA, tmp_path)


def test_windows_finds_cameras_by_index(monkeypatch):
    found = [
        type("Found", (), {"description": name, "media_types": [kind]})
        for name, kind in (("Mic", "audio"), ("HD", "video"))
    ]
    monkeypatch.setattr(camera.av, "enumerate_input_devices", lambda kind: found)
    assert camera.find_device("0", "win32").file == "video=HD"
    with pytest.raises(InputError, match=r"camera 1 is missing: connect it, or name one of HD"):
        camera.find_device("1", "win32")
