"""The strip of validation sequences has a row for each sequence and a column for each prediction."""

import numpy as np
import torch
from PIL import Image

from vosmem.data.videos import ClipSequence
from vosmem.training.strip import HEIGHT, ValidationStrip
from vosmem.visualization.contact_sheet import CAPTION, GAP


def make_strip(count, **predictions):
    labels = np.zeros((3, HEIGHT, 60), np.uint8)
    clips = [ClipSequence(f"clip {i}", np.full((3, HEIGHT, 60, 3), 100, np.uint8), labels, 1) for i in range(count)]
    strip = ValidationStrip(lambda: clips)
    strip._labels = {name: [torch.full((HEIGHT, 60), value, dtype=torch.uint8)] * count
                     for name, value in predictions.items()}  # fmt: skip
    return strip


def test_strip_has_a_row_for_each_sequence(tmp_path):
    with Image.open(make_strip(2, after=0).draw(tmp_path / "strip.png")) as image:
        assert image.size == (4 * (60 + GAP), 2 * (CAPTION + HEIGHT + GAP))


def test_strip_shows_at_most_six_sequences_spread_over_all():
    assert [sequence.name for sequence in make_strip(13).sequences] == [f"clip {i}" for i in range(0, 12, 2)]


def test_strip_has_a_column_for_each_prediction(tmp_path):
    path = make_strip(1, before=0, after=1).draw(tmp_path / "strip.png")
    with Image.open(path) as image:
        rows, width = slice(CAPTION + 10, CAPTION + 100), 60 + GAP
        before, after = (np.asarray(image)[rows, column + 10 : column + 50] for column in (3 * width, 4 * width))
    assert (before == 100).all() and not (after == 100).all()
