"""Plots of the memory: heat maps match the attention, and every panel has its data."""

import numpy as np
import pytest
from notebooks.figures import attention_row, draw_memory, heat_over, plot_memory
from PIL import Image

from vosmem.inference.propagation.memory_trace import Moment


def test_heat_is_brightest_where_the_share_is_largest():
    heat = np.zeros((64, 96))
    heat[32:48, 64:80] = 1.0
    drawn = heat_over(np.full((128, 192, 3), 200, np.uint8), heat).astype(int)
    row, column = np.unravel_index(drawn.sum(axis=2).argmax(), (128, 192))
    assert 64 <= row < 96 and 128 <= column < 160
    assert (drawn[:32, :64] == drawn[0, 0]).all() and len(set(drawn[0, 0])) == 1  # grey without attention


def test_one_scale_holds_for_all_memory_frames():
    frame = np.full((32, 32, 3), 100, np.uint8)
    row = attention_row(
        "who", frame, [(8, 20)], [frame, frame], np.stack([np.full((2, 2), 0.2), np.full((2, 2), 0.05)])
    )
    asking, hot, cool = row.pictures
    assert asking[8, 20].tolist() == [255, 40, 40] and (frame == 100).all()
    assert hot.sum() > cool.sum() and hot.shape == cool.shape == frame.shape


MOMENTS = [
    Moment(0, [], 0, True, True),
    Moment(1, [0], 10, False, False, 0.1),
    Moment(2, [0, 1], 20, False, True, 0.4, 1.6),
    Moment(3, [0, 2], 20, False, False),
]


@pytest.mark.parametrize(
    ("moments", "labels"),
    [
        (MOMENTS[:1], ["frame in memory"]),
        ([m._replace(stay=None) for m in MOMENTS], ["frame in memory", "variation"]),
        (MOMENTS, ["frame in memory", "frames", "variation"]),
    ],
)
def test_a_panel_for_each_traced_value(moments, labels, tmp_path):
    figure = draw_memory(moments, threshold=0.25)
    assert [panel.get_ylabel() for panel in figure.axes] == labels
    with Image.open(plot_memory(moments, tmp_path / "new" / "memory.png", 0.25)) as image:
        assert image.size[0] > 600


def test_a_point_for_each_frame_in_memory():
    kept, before, given = draw_memory(MOMENTS).axes[0].collections
    assert kept.get_offsets().tolist() == [[1, 0], [2, 0], [3, 0], [3, 2]]
    assert before.get_offsets().tolist() == [[2, 1]]
    assert given.get_offsets().tolist() == [[0, 0]]
