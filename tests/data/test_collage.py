"""Collages: what is promised of every one of them."""

import numpy as np
import pytest
from PIL import Image

from vosmem.data.collage import Collages
from vosmem.data.embedded import embedded_stills, embedded_training_stills
from vosmem.data.sets import CachedStills, repeats
from vosmem.errors import InputError


@pytest.fixture
def photographs(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for index, size in enumerate([(40, 60), (90, 50)]):
        paths.append(str(tmp_path / f"{index}.png"))
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(paths[-1])
    return paths


def test_a_collage_is_a_function_of_seed_and_index(photographs):
    made = Collages(photographs, count=5, size=64, seed=3)
    again, other = Collages(photographs, count=5, size=64, seed=3), Collages(photographs, count=5, size=64, seed=4)
    made.read(0)
    assert np.array_equal(made.read(2).image, again.read(2).image)
    assert np.array_equal(made.read(2).labels, again.read(2).labels)
    for still in (made.read(3), other.read(2)):  # another index, another seed: most pixels are others
        assert (still.image != made.read(2).image).any(axis=2).mean() > 0.5


def test_shapes_sizes_and_labels(photographs):
    made = Collages(photographs, count=30, size=64, seed=0)
    for index in range(len(made)):
        image, labels = made.read(index)
        assert image.shape == (64, 64, 3) and image.dtype == np.uint8
        assert labels.shape == (64, 64) and labels.dtype == np.uint8
        assert 1 <= labels.max() <= 8
        assert (labels == 0).any()
        assert made.sizes(index) == ((64, 64), (64, 64))


def test_an_object_differs_from_what_lies_behind_it(photographs):
    """Inside a shape the picture is another piece: its colours change at the outline more than elsewhere."""
    made = Collages([photographs[0]], count=40, size=64, seed=1)
    differences = []
    for index in range(len(made)):
        image, labels = made.read(index)
        inside, outside = image[labels == labels.max()], image[labels == 0]
        differences.append(np.abs(inside.mean(axis=0) - outside.mean(axis=0)).max())
    assert np.median(differences) > 20


@pytest.mark.parametrize(("images", "count"), [([], 3), (["x.png"], 0)])
def test_nothing_to_make_collages_of(images, count):
    with pytest.raises(InputError, match="at least one photograph"):
        Collages(images, count=count, size=64, seed=0)


def test_the_embedded_training_set_keeps_validation_photographs_out():
    training = embedded_training_stills(repeats=2.0, collages=3, collage_size=64, seed=0)
    photographs, held_out = embedded_stills("train"), embedded_stills("val")
    assert repeats(training).tolist() == [2] * len(photographs) + [1] * 3
    names = {training.name(index) for index in range(len(training))}
    assert not names & {held_out.name(index) for index in range(len(held_out))}
    pieces = {path for index in range(len(held_out)) for path in [held_out.name(index)]}
    assert not pieces & {"brick.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "clock_motion.png"}


def test_cached_stills_are_decoded_once(stills, monkeypatch):
    from vosmem.data.stills import ImageMaskFolder

    source = ImageMaskFolder(str(stills))
    cached, reads = CachedStills(source), []
    read = source.read
    monkeypatch.setattr(source, "read", lambda index: reads.append(index) or read(index))
    first, second = cached.read(1), cached.read(1)
    assert reads == [1] and first is second
    assert (len(cached), cached.name(2), cached.sizes(2)) == (len(source), source.name(2), source.sizes(2))
