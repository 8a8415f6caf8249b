"""Crops around the objects of a clip: content, scale and motion."""

import numpy as np
import pytest

from vosmem.data.clips.framing import CONTEXT, ObjectFraming
from vosmem.data.sources.image_sets import LabelledImage
from vosmem.errors import InputError

SIZE = 64
MIDDLE = slice(round((CONTEXT - 1) / 2 * SIZE), round((CONTEXT - 1) / 2 * SIZE) + SIZE)


def labelled(left: int, top: int, side: int = 30, width: int = 320, height: int = 180) -> LabelledImage:
    image = np.tile(np.arange(width, dtype=np.uint8), (height, 1))[..., None].repeat(3, axis=2)
    labels = np.zeros((height, width), np.uint8)
    labels[top : top + side, left : left + side] = 1
    return LabelledImage(np.ascontiguousarray(image), labels)


def crops(framing: ObjectFraming, moments: list[LabelledImage], seed: int) -> list[np.ndarray]:
    return [made.labels[MIDDLE, MIDDLE] for made in framing(moments, np.random.default_rng(seed))]


@pytest.mark.parametrize("index", [(0, 0), (150, 80), (290, 150)])
def test_the_crop_holds_the_objects_of_the_first_frame_whole(index):
    framing = ObjectFraming(SIZE, short_side=120, whole=0.0, fill=(0.3, 0.9))
    for seed in range(40):
        (labels,) = crops(framing, [labelled(*index)], seed)
        rows, columns = np.nonzero(labels)
        side = max(np.ptp(rows), np.ptp(columns)) + 1
        # All of it, at one scale: the square's height is its width, to rounding.
        assert abs(np.ptp(rows) - np.ptp(columns)) <= 2
        assert len(rows) >= 0.9 * side**2 and side <= 0.9 * SIZE + 2


def test_the_scale_is_that_of_inference():
    """At zoom 1, an object has the size that it has in a frame of `short_side`."""
    framing = ObjectFraming(SIZE, short_side=120, zoom=(1.0, 1.0), fill=(1.0, 1.0), whole=0.0)
    (labels,) = crops(framing, [labelled(100, 60)], seed=0)
    assert labels.any(axis=0).sum() == pytest.approx(30 * 120 / 180, abs=1)


def test_a_crop_follows_objects_that_move():
    framing = ObjectFraming(SIZE, short_side=120, whole=0.0)
    moments = [labelled(20, 60), labelled(120, 60), labelled(220, 60)]
    seen = [[labels.any() for labels in crops(framing, moments, seed)] for seed in range(60)]
    assert all(first for first, *_ in seen)
    assert 0.2 < np.mean([last for *_, last in seen]) < 1, "some follow closely, some stay where they are"


def test_a_whole_frame_has_the_short_side_of_the_crop():
    framing = ObjectFraming(SIZE, whole=1.0)
    (made,) = framing([labelled(140, 10, side=160)], np.random.default_rng(0))
    assert made.labels[MIDDLE, MIDDLE].any(axis=1).sum() == pytest.approx(160 * SIZE / 180, abs=1)


def test_one_image_is_cut_once_and_outside_is_background_of_the_mean_colour():
    framing = ObjectFraming(SIZE, whole=0.0)
    moment = labelled(0, 0, side=170, width=180)
    made = framing([moment, moment], np.random.default_rng(1))
    assert made[0] is made[1] and made[0].image.shape == (round(CONTEXT * SIZE), round(CONTEXT * SIZE), 3)
    assert tuple(made[0].image[0, 0]) == (124, 116, 104) and made[0].labels[0, 0] == 0


def test_without_an_object_the_frame_is_taken_whole():
    empty = LabelledImage(np.zeros((90, 160, 3), np.uint8), np.zeros((90, 160), np.uint8))
    (made,) = ObjectFraming(SIZE)([empty], np.random.default_rng(0))
    assert not made.labels.any()


@pytest.mark.parametrize("options", [{"zoom": (2.0, 1.0)}, {"fill": (0.0, 1.0)}, {"whole": 1.5}])
def test_invalid_ranges_are_refused(options):
    with pytest.raises(InputError, match="framing with zoom"):
        ObjectFraming(SIZE, **options)
