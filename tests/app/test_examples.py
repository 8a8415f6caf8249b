"""Example videos of the page."""

import numpy as np
import pytest

from vosmem.app.examples import CLIP, EXAMPLES, write_example
from vosmem.data.decoding.images import image_size
from vosmem.errors import InputError


def test_the_first_example_is_the_real_clip_with_the_mask_of_its_first_frame(tmp_path):
    assert EXAMPLES[0] == CLIP
    frames, mask = write_example(CLIP, tmp_path)
    paths = sorted(frames.iterdir())
    assert len(paths) == 20 and {image_size(path) for path in paths} == {mask.shape[::-1]} == {(360, 240)}
    assert mask.dtype == np.uint16 and np.unique(mask).tolist() == [0, 1, 2]


def test_an_unknown_example_is_rejected(tmp_path):
    with pytest.raises(InputError, match="One cup"):
        write_example("x", tmp_path)
