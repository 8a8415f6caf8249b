"""Videos with a copy of their object, and the figures of every kind of attention."""

import numpy as np
import pandas as pd
import pytest
from benchmarks.distractors import COPY, DISTANCES, MASK, SIDE, measure, plot, video

from vosmem.data.sources.coco import embedded_images
from vosmem.networks import REMN, LocalAttention


@pytest.fixture(scope="module")
def images():
    return embedded_images(split="val")


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_copy_keeps_its_distance_and_comes_after_the_first_frame(images, distance):
    for index in range(3):
        shown, alone = video(images, distance, 5, index), video(images, None, 5, index)
        assert np.array_equal(shown[0].frame, alone[0].frame) and not (shown[0].labels == COPY).any()
        for (_, labels), (_, plain_labels) in zip(shown[1:], alone[1:], strict=True):
            assert np.array_equal(labels == MASK, plain_labels == MASK)
            centres = [np.argwhere(labels == own).mean(axis=0) for own in (MASK, COPY)]
            assert np.linalg.norm(centres[0] - centres[1]) == pytest.approx(distance * SIDE, rel=0.15)


def test_every_way_is_measured_on_the_same_videos(images, tmp_path):
    widths = {"key_channels": 8, "value_channels": 8, "decoder_channels": 8, "weights": "none", "value_weights": "none"}
    network = REMN(backbone="resnet10", **widths, local_attention=LocalAttention(strength=0.5)).eval()
    table = pd.DataFrame(measure(network, images, 1, 3, 4.0))
    assert len(table) == 4 * len(DISTANCES)
    assert list(table["local attention"].unique()) == ["none", "matching", "features", "both"]
    numbers = table.drop(columns=["local attention", "distance"])
    assert ((numbers >= 0) & (numbers <= 100)).all().all()
    assert table.groupby("local attention")["J without copy %"].nunique().eq(1).all()
    assert plot(table, tmp_path / "plot.png").is_file()
