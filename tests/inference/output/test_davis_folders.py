"""A data set reads back as it was written."""

import numpy as np
import pytest
import torch

from vosmem.data.sources.evaluation_sets import evaluation_set
from vosmem.data.videos import ClipSequence
from vosmem.errors import InputError
from vosmem.inference.output.davis_folders import write_davis


@pytest.fixture
def sequences():
    rng = np.random.default_rng(0)
    made = []
    for number, name in enumerate(("b", "a"), start=1):
        labels = np.zeros((3, 32, 48), np.uint8)
        labels[:, 4:20, 4:20] = 1
        labels[:, 20:30, 20:40] = number
        frames = np.repeat(np.repeat(rng.integers(0, 256, (3, 4, 6, 3)), 8, axis=1), 8, axis=2).astype(np.uint8)
        made.append(ClipSequence(name, frames, labels, number))
    return made


def test_davis_layout(tmp_path, sequences):
    assert [sequence.name for sequence in write_davis(sequences, tmp_path / "out", "val")] == ["b", "a"]
    read = evaluation_set("davis", str(tmp_path / "out"), year=2017)
    assert [sequence.name for sequence in read] == ["b", "a"]
    for written, again in zip(sequences, read, strict=True):
        assert again.object_ids == written.object_ids
        for t in range(3):
            assert torch.equal(again.labels(t), written.labels(t))
            assert (again.frame(t).int() - written.frame(t).int()).abs().float().mean() < 12
    assert evaluation_set("davis", str(tmp_path / "out"), year=2016)[1].object_ids == (1,)


def test_nothing_is_overwritten(tmp_path, sequences):
    list(write_davis(sequences[:1], tmp_path, "val"))
    with pytest.raises(InputError, match=r"\A'.*' holds a data set already.*\Z"):
        list(write_davis(sequences, tmp_path, "val"))


def test_the_list_is_written_after_its_videos(tmp_path, sequences):
    writing = write_davis(sequences, tmp_path, "train")
    next(writing)
    assert (tmp_path / "JPEGImages" / "480p" / "b" / "00002.jpg").is_file()
    assert not (tmp_path / "ImageSets").exists()
