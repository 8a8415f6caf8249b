"""Uploads: unsafe paths, zip bombs and wrong types are rejected in one line; nothing is written elsewhere."""

import io
import stat
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.inputs.made import write_clip, write_frames
from tests.messages import naming
from vosmem.app.uploads import Limits, import_upload, unpack
from vosmem.errors import InputError
from vosmem.inputs.picture_frames import PictureFrames


def picture(grey=0, size=(16, 12)) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, grey).save(buffer, format="PNG")
    return buffer.getvalue()


def write_zip(path: Path, entries, **how) -> Path:
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


def everything(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a_zip_of_frames_is_unpacked_flat_without_system_files(tmp_path):
    entries = [(f"clip/{t}.png", picture(t)) for t in range(3)]
    extra = [("clip/", b""), ("__MACOSX/clip/._0.png", b"x"), ("clip/.DS_Store", b"x"), ("clip/notes.txt", b"x")]
    folder = unpack(write_zip(tmp_path / "clip.zip", entries + extra), tmp_path / "out", Limits())
    assert {path.name for path in folder.iterdir()} == {"0.png", "1.png", "2.png"}
    assert (folder / "2.png").read_bytes() == picture(2)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "a/../../evil.png",
        "/tmp/evil.png",
        "..\\evil.png",
        "C:\\evil.png",
        "C:/evil.png",
        "\\\\host\\e.png",
    ],
)
def test_unsafe_paths_are_rejected_and_nothing_is_written(tmp_path, name):
    archive = write_zip(tmp_path / "bad.zip", [("ok.png", picture()), (name, picture())])
    before = everything(tmp_path)
    with pytest.raises(InputError, match=naming("bad.zip", "leads elsewhere", "zip the folder itself")):
        unpack(archive, tmp_path / "deep" / "out", Limits())
    assert everything(tmp_path) == before and not Path("/tmp/evil.png").exists()


@given(name=st.text(st.sampled_from("./\\:aé~ "), min_size=1, max_size=12))
def test_no_file_name_writes_outside_the_folder(tmp_path_factory, name):
    root = tmp_path_factory.mktemp("fuzz")
    archive = write_zip(root / "fuzz.zip", [(f"{name}.png", picture())])
    with suppress(InputError):
        unpack(archive, root / "deep" / "out", Limits())
    assert all(path == archive or path.parent == root / "deep" / "out" for path in everything(root))


def test_links_are_rejected(tmp_path):
    archive = write_zip(tmp_path / "bad.zip", [(link("0.png"), "/etc/passwd")])
    with pytest.raises(InputError, match=naming("bad.zip", "link", "0.png")):
        unpack(archive, tmp_path / "out", Limits())
    assert not (tmp_path / "out").exists()


def test_unpacking_stops_at_the_limit_even_with_a_false_header(tmp_path):
    bomb = write_zip(tmp_path / "bomb.zip", [("0.png", b"\0" * 30 * 2**20)], compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 2**17
    with pytest.raises(InputError, match=naming("bomb.zip", "more than 2 MB")):
        unpack(bomb, tmp_path / "out", Limits(upload_mb=2))
    assert (tmp_path / "out" / "0.png").stat().st_size <= 4 * 2**20
    data = bytearray(bomb.read_bytes())
    for index in (data.find(b"PK\x03\x04") + 22, data.find(b"PK\x01\x02") + 24):
        data[index : index + 4] = (100).to_bytes(4, "little")
    bomb.write_bytes(bytes(data))
    with pytest.raises(InputError, match=naming("bomb.zip")):
        unpack(bomb, tmp_path / "again", Limits(upload_mb=2))
    assert sum(path.stat().st_size for path in everything(tmp_path / "again")) <= 4 * 2**20


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("notes.txt", b"x")], "no pictures"),
        ([("a/0.png", picture()), ("b/0.png", picture())], "2 folders"),
        ([("0.png", picture()), ("0.png", picture())], "twice"),
        ([(f"{t}.png", picture()) for t in range(6)], "more than 5"),
    ],
)
def test_archives_without_usable_frames_are_rejected(tmp_path, entries, message):
    with pytest.raises(InputError, match=naming("bad.zip", message)):
        unpack(write_zip(tmp_path / "bad.zip", entries), tmp_path / "out", Limits(frames=5))


def test_damaged_and_encrypted_archives_are_rejected(tmp_path):
    archive = write_zip(tmp_path / "bad.zip", [("0.png", picture())])
    whole = archive.read_bytes()
    locked = bytearray(whole)
    for signature, index in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[whole.find(signature) + index] |= 1
    broken = bytearray(whole)
    broken[50] ^= 255
    for content in (b"", b"no zip", whole[:-30], bytes(locked), bytes(broken)):
        archive.write_bytes(content)
        with pytest.raises(InputError, match=naming("bad.zip", "cannot be unpacked")):
            unpack(archive, tmp_path / "out", Limits())


def test_videos_and_pictures_are_copied(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", num_frames=3)
    assert import_upload([clip], tmp_path / "one", Limits()).read_bytes() == clip.read_bytes()
    frames = write_frames(tmp_path / "frames", ["10", "9"])
    folder = import_upload(sorted(frames.iterdir()), tmp_path / "two", Limits())
    assert sorted(path.name for path in folder.iterdir()) == ["10.png", "9.png"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], ("nothing was uploaded",)),
        (["notes.txt"], ("notes.txt", "neither a video nor a frame")),
        (["a.mp4", "b.mp4"], ("a.mp4", "one video")),
        (["0.png", "a.mp4"], ("a.mp4", "neither")),
        (["a/0.png", "b/0.png"], ("0.png", "its own name")),
        (["0.png", "1.png", "2.png"], ("3 pictures", "more than 2")),
    ],
)
def test_invalid_uploads_are_rejected(tmp_path, names, message):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=naming(*message)):
        import_upload([tmp_path / name for name in names], tmp_path / "out", Limits(frames=2))


def test_limits(tmp_path):
    (tmp_path / "a.mp4").write_bytes(np.zeros(2 * 2**20, np.uint8).tobytes())
    with pytest.raises(InputError, match=naming("larger than 1 MB", "--max-upload")):
        import_upload([tmp_path / "a.mp4"], tmp_path / "out", Limits(upload_mb=1))

    frames = PictureFrames(write_frames(tmp_path / "frames", ["0", "1", "2"], size=(100, 50)))
    with pytest.raises(InputError, match=naming("3 frames", "more than 2", "--max-frames")):
        Limits(frames=2).check(frames)
    with pytest.raises(InputError, match=naming("100x50", "too large")):
        Limits(pixels=4999).check(frames)
