"""Sets joined, weighted and divided."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages import naming
from vosmem.data.sources.image_sets import ImageMaskFolder, LabelledImage
from vosmem.data.sources.joined import CachedImages, JoinedImages, Subset, repeats
from vosmem.errors import InputError


class Names:
    """A set of images with distinct names, sizes and colours."""

    def __init__(self, prefix, count):
        self.prefix, self.count = prefix, count

    def __len__(self):
        return self.count

    def name(self, index):
        assert 0 <= index < self.count
        return f"{self.prefix}{index}"

    def read(self, index):
        return LabelledImage(np.full((1, 1, 3), 10 * self.prefix + index, np.uint8), np.zeros((1, 1), np.uint8))

    def sizes(self, index):
        return (self.prefix, index), (self.prefix, index)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_joined_sets_hold_every_image_once_in_order(counts):
    joined = JoinedImages({str(prefix): Names(prefix, count) for prefix, count in enumerate(counts)})
    expected = [(prefix, index) for prefix, count in enumerate(counts) for index in range(count)]
    assert [joined.sizes(index)[0] for index in range(len(joined))] == expected
    assert [joined.name(index) for index in range(len(joined))] == [f"{prefix}{index}" for prefix, index in expected]
    assert [int(joined.read(index).image[0, 0, 0]) for index in range(len(joined))] == [10 * p + i for p, i in expected]


def test_weights_reach_the_images_through_other_sets():
    sources = {"a": Names(0, 3), "b": Subset(Names(1, 4), 2, held_out=True), "c": Names(2, 1)}
    joined = JoinedImages(sources, {"b": 0.5, "c": 5.0})
    assert repeats(joined).tolist() == [1, 1, 1, 0.5, 0.5, 5]
    assert repeats(CachedImages(Subset(joined, 3, held_out=False))).tolist() == [1, 1, 0.5, 5]
    nested = JoinedImages({"joined": joined, "d": Names(3, 1)}, {"joined": 2.0})
    assert repeats(nested).tolist() == [2, 2, 2, 1, 1, 10, 1]


@pytest.mark.parametrize(
    ("weights", "message"),
    [({"c": 1.0}, ["'c'", "a, b"]), ({"a": 0.0}, ["0.0", "'a'"]), ({"b": -1.0}, ["-1.0", "'b'"])],
)
def test_weights_that_do_not_fit_the_sets(weights, message):
    with pytest.raises(InputError, match=naming(*message)):
        JoinedImages({"a": Names(0, 3), "b": Names(1, 4)}, weights)


def test_no_set_to_join():
    with pytest.raises(InputError, match=naming("no set")):
        JoinedImages({})


@given(st.integers(2, 30), st.integers(2, 8))
def test_held_out_and_kept_images_are_all_images_once(count, every):
    parts = [Subset(Names(7, count), every, held_out) for held_out in (True, False)]
    held_out, kept = [[part.sizes(index)[0][1] for index in range(len(part))] for part in parts]
    assert held_out == list(range(0, count, every))
    assert sorted(held_out + kept) == list(range(count))
    assert [parts[1].name(position) for position in range(len(kept))] == [f"7{index}" for index in kept]
    assert int(parts[1].read(0).image[0, 0, 0]) == 70 + kept[0]


@pytest.mark.parametrize(("count", "every"), [(4, 1), (1, 50)])
def test_nothing_left_to_train_on(count, every):
    with pytest.raises(InputError, match=naming(f"of {count}", f"every {every}")):
        Subset(Names(0, count), every, held_out=False)


def test_cached_images_are_decoded_once(images, monkeypatch):
    source = ImageMaskFolder(str(images))
    cached, reads = CachedImages(source), []
    read = source.read
    monkeypatch.setattr(source, "read", lambda index: reads.append(index) or read(index))
    first, second = cached.read(1), cached.read(1)
    assert reads == [1] and first is second
    assert (len(cached), cached.name(2), cached.sizes(2)) == (len(source), source.name(2), source.sizes(2))
