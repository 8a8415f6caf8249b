"""Mask files: read back as written, whole or not at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from vosmem.data.decoding.images import read_labels
from vosmem.inference.output import mask_writer as writer
from vosmem.inference.output.mask_writer import davis_palette, write_labels, write_probabilities

FIRST_TEN_VOC_COLOURS = [
    *[[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]],
    *[[128, 0, 128], [0, 128, 128], [128, 128, 128], [64, 0, 0], [192, 0, 0]],
]


def drawn(ids, shape, seed):
    return np.random.default_rng(seed).choice(ids, shape).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    ids=st.lists(st.integers(0, 255), min_size=1, max_size=6, unique=True),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    seed=st.integers(0, 2**32 - 1),
)
def test_ids_read_back(tmp_path_factory, ids, shape, seed):
    path, labels = tmp_path_factory.getbasetemp() / "any_ids.png", drawn(ids, shape, seed)
    write_labels(path, labels)
    with Image.open(path) as written:
        assert written.mode == "P"
        assert np.array_equal(np.asarray(written), labels)
    if 255 not in ids:  # which readers take for void, or for the only object
        assert np.array_equal(read_labels(path), labels)


@pytest.mark.parametrize("ids", [[0], [0, 1], [0, 1, 2, 3, 4], [0, 200]])
def test_the_palette_on_disk_always_has_256_colours(tmp_path, ids):
    write_labels(tmp_path / "mask.png", drawn(ids, (6, 5), 0))
    content = (tmp_path / "mask.png").read_bytes()
    start = content.index(b"PLTE")
    assert int.from_bytes(content[start - 4 : start], "big") == 3 * 256
    assert content[start + 4 : start + 4 + 3 * 256] == davis_palette().tobytes()


def test_the_palette_is_the_one_of_davis():
    assert davis_palette()[:10].tolist() == FIRST_TEN_VOC_COLOURS
    assert len(np.unique(davis_palette(), axis=0)) == 256


def test_folders_are_created_and_an_older_mask_is_replaced(tmp_path):
    path = tmp_path / "new" / "sequence" / "00000.png"
    for seed in range(2):
        write_labels(path, drawn([0, 1, 2], (4, 4), seed))
    assert np.array_equal(read_labels(path), drawn([0, 1, 2], (4, 4), 1))
    assert [entry.name for entry in path.parent.iterdir()] == ["00000.png"]


def disk_is_full(*args, **kwargs):
    raise OSError(28, "No space left on device")


def two_colours():
    """A palette of two entries makes a file of one bit a pixel, which loses every id above 1."""
    return davis_palette()[:2]


@pytest.fixture(params=[(ImageFile, "_save", disk_is_full), (writer, "davis_palette", two_colours)], ids=lambda p: p[1])
def breakage(request):
    """A patch that makes a mask fail while it is written, or when it is read back."""
    return request.param


def write_and_fail(path):
    with pytest.raises(OSError, match=r"No space left|00000\.png reads back differently"):
        write_labels(path, drawn([0, 1, 2, 3, 4], (8, 8), 1))


def test_a_failure_leaves_no_mask(tmp_path, monkeypatch, breakage):
    monkeypatch.setattr(*breakage)
    write_and_fail(tmp_path / "00000.png")
    assert not (tmp_path / "00000.png").exists()


def test_a_failure_leaves_the_older_mask_unchanged(tmp_path, monkeypatch, breakage):
    older = drawn([0, 1, 2], (8, 8), 0)
    write_labels(tmp_path / "00000.png", older)
    monkeypatch.setattr(*breakage)
    write_and_fail(tmp_path / "00000.png")
    assert np.array_equal(read_labels(tmp_path / "00000.png"), older)


def test_a_failure_leaves_no_partial_file(tmp_path, monkeypatch, breakage):
    monkeypatch.setattr(*breakage)
    write_and_fail(tmp_path / "00000.png")
    assert list(tmp_path.iterdir()) == []


def test_probabilities_read_back_to_a_255th(tmp_path):
    probs = np.random.default_rng(0).dirichlet(np.ones(3), (4, 6)).transpose(2, 0, 1).astype(np.float32)
    write_probabilities(tmp_path / "cat" / "00000.npz", probs, (7, 200, 9))
    with np.load(tmp_path / "cat" / "00000.npz") as written:
        assert written["ids"].tolist() == [0, 7, 200]  # the last object is yet to come
        np.testing.assert_allclose(written["probs"] / 255, probs, atol=0.5 / 255 + 1e-6)
    assert [path.name for path in (tmp_path / "cat").iterdir()] == ["00000.npz"]
