"""A check runs once on the same files; only a check that passed is remembered."""

import os

import pytest

from tests.conftest import write_images
from vosmem.data.sources.checks import check_once, files_of
from vosmem.data.sources.coco import CocoInstances, embedded_images
from vosmem.data.sources.image_sets import ImageMaskFolder
from vosmem.data.sources.joined import CachedImages, JoinedImages, JoinedVideos, Subset
from vosmem.data.sources.training_videos import training_videos
from vosmem.errors import InputError


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two files, and an empty cache."""
    monkeypatch.setenv("VOSMEM_CACHE", str(tmp_path / "cache"))
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text("1")
    return paths


def passes():
    pass


def fails():
    raise InputError("2 of 2 files cannot be used")


def test_a_check_that_passed_is_not_run_again(files):
    assert check_once(passes, files, "headers")
    assert not check_once(fails, files, "headers")
    assert check_once(passes, files, "full"), "another check"
    assert check_once(passes, files[:1], "headers"), "another list of files"


def test_a_failure_is_not_remembered(files):
    for _ in range(2):
        with pytest.raises(InputError, match="2 of 2 files"):
            check_once(fails, files, "headers")
    assert check_once(passes, files, "headers")


@pytest.mark.parametrize("change", ["time", "size", "gone"])
def test_a_changed_file_is_checked_again(files, change):
    check_once(passes, files, "headers")
    if change == "time":
        os.utime(files[1], (1, 1))
    elif change == "size":
        state = files[1].stat()
        files[1].write_text("22")
        os.utime(files[1], ns=(state.st_atime_ns, state.st_mtime_ns))
    else:
        files[1].unlink()
    assert check_once(passes, files, "headers")


def test_without_a_list_of_files_or_a_cache_every_check_runs(files, monkeypatch):
    for unknown in (None, []):
        assert check_once(passes, unknown, "headers")
        assert check_once(passes, unknown, "headers")
    monkeypatch.setenv("VOSMEM_CACHE", str(files[0]))  # a file: nothing can be written below it
    assert check_once(passes, files, "headers")
    assert check_once(passes, files, "headers")


def test_the_files_of_every_kind_of_set(tmp_path):
    images = ImageMaskFolder(str(write_images(tmp_path / "s", count=3)))
    own = [path for kind in "012" for path in (f"images/00{kind}.jpg", f"masks/00{kind}.png")]
    assert [str(path.relative_to(tmp_path / "s")) for path in files_of(images)] == own
    assert files_of(CachedImages(Subset(images, 3, held_out=True))) == files_of(images)
    assert files_of(JoinedImages({"one": images, "other": images})) == 2 * files_of(images)
    embedded = embedded_images("val")
    assert isinstance(embedded, CocoInstances)
    assert len(files_of(embedded)) == 1 + len(embedded) and all(path.is_file() for path in files_of(embedded))
    assert files_of(CachedImages(embedded)) == files_of(embedded)
    for kind, source in (("JPEGImages", "images"), ("Annotations", "masks")):
        (tmp_path / "v" / kind).mkdir(parents=True)
        (tmp_path / "s" / source).rename(tmp_path / "v" / kind / "one")
    videos = training_videos("folder", str(tmp_path / "v"))
    assert len(files_of(videos)) == 6 and files_of(JoinedVideos({"v": videos})) == files_of(videos)
    assert files_of(JoinedImages({"known": images, "unknown": Own()})) is None


class Own:
    """A set of a user's own class, whose files are not known."""

    def __len__(self):
        return 3

    def name(self, index):
        return str(index)

    def read(self, index):
        raise AssertionError("only headers are needed here")

    def sizes(self, index):
        return (1, 1), (1, 1)
