"""Lists of videos, and errors of their rows."""

import pytest

from tests.messages import naming
from vosmem.errors import InputError
from vosmem.inputs.manifest import is_manifest, read_manifest


@pytest.fixture
def folder(tmp_path):
    """Two video folders, a video file and a mask, which are all empty: reading a list opens none of them."""
    for name in ("a", "b"):
        (tmp_path / "videos" / name).mkdir(parents=True)
    for name in ("clip.mp4", "mask.png"):
        (tmp_path / name).touch()
    return tmp_path


def read(folder, text, **more):
    path = folder / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_manifest(path, **more)


@pytest.mark.parametrize("text", ["video,mask\n{}", "\ufeffvideo,mask\r\n{}\r\n", "mask,video,name\n{swapped},\n\n"])
def test_paths_are_relative_to_the_list(folder, text):
    text = text.format("videos/a,mask.png", swapped="mask.png,videos/a")
    (video,), problems = read(folder, text, max_objects=3)
    assert not problems and video.name == "a" and video.max_objects == 3 and not video.first_only
    assert (video.frames, video.masks) == (folder / "videos" / "a", folder / "mask.png")


def test_names_and_absolute_paths(folder):
    text = f'video,mask,name\nclip.mp4,mask.png,\n{folder}/videos/b,mask.png,"one, two"\nclip.mp4,mask.png,again\n'
    videos, problems = read(folder, text)
    assert not problems and [video.name for video in videos] == ["clip", "one, two", "again"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("videos/c,mask.png,", ("video", "videos/c", "missing")),
        ("videos/b,none.png,", ("mask", "none.png", "missing")),
        ("videos/b,,", ("'mask'", "empty")),
        (",mask.png,", ("'video'", "empty")),
        ("videos/b,mask.png,a", ("'a'", "taken by a row above")),
        ("videos/b,mask.png,x/y", ("'x/y'", "slashes")),
        ("videos/b,mask.png,..", ("'..'", "no folder's name")),
        ("videos/b", ("number of fields",)),
        ("videos/b,mask.png,b,more", ("number of fields",)),
    ],
)
def test_a_bad_row_is_reported_and_the_others_are_kept(folder, row, message):
    videos, problems = read(folder, f"video,mask,name\nvideos/a,mask.png,\n{row}\nclip.mp4,mask.png,\n")
    assert [video.name for video in videos] == ["a", "clip"]
    assert list(problems) == ["list.csv:3"]
    with pytest.raises(InputError, match=naming(*message)):
        raise problems["list.csv:3"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ("nothing", "'video,mask'")),
        ("videos/a,mask.png\n", ("videos/a", "'video,mask'")),
        ("video,mask,start\n", ("start", "'video,mask'")),
        ("video,mask\n", ("holds no video",)),
        (b"video,mask\n\xff\xfe,mask.png\n", ("cannot be read as CSV", "UTF-8")),
        ('video,mask\n"videos/a,mask.png\n', ("cannot be read as CSV",)),
    ],
)
def test_an_invalid_list_is_rejected(folder, text, message):
    with pytest.raises(InputError, match=naming("list.csv", *message)):
        read(folder, text)


def test_a_list_is_recognised_by_its_suffix_even_if_it_is_missing(folder):
    assert is_manifest(folder / "LIST.CSV") and not is_manifest(folder / "clip.mp4")
    (folder / "frames.csv").mkdir()
    assert not is_manifest(folder / "frames.csv")
    with pytest.raises(InputError, match="missing"):
        read_manifest(folder / "list.csv")


@pytest.mark.parametrize(
    "text",
    [
        "video;mask\nclip.mp4;mask.png\nvideos/a;mask.png\n",
        "Video\tMASK\nclip.mp4\tmask.png\nvideos/a\tmask.png\n",
        "sep=;\nVIDEO ; Mask\nclip.mp4;mask.png\nvideos\\a;mask.png\n",
        'video,mask\r\n"clip.mp4",mask.png\r\nvideos/a,mask.png\r\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".TXT"])
def test_lists_of_spreadsheets(folder, text, encoding, suffix):
    path = folder / f"list{suffix}"
    path.write_bytes(text.encode(encoding))
    assert is_manifest(path)
    videos, problems = read_manifest(path)
    assert not problems and [video.name for video in videos] == ["clip", "a"]


def test_the_line_of_a_bad_row_counts_the_line_of_excel(folder):
    (folder / "list.csv").write_text("sep=;\nvideo;mask\nclip.mp4;none.png\n")
    assert list(read_manifest(folder / "list.csv")[1]) == ["list.csv:3"]
