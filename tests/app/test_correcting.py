"""Corrections: erased parts stay erased, and added parts are propagated."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.app.conftest import COUNT, SIZE, all_ids
from vosmem.errors import InputError


def test_an_erased_part_stays_erased_after_another_propagation(session, monkeypatch):
    def decode(query, readouts):
        """Segments the object in every pixel."""
        background = torch.zeros(1, 1, *(16 * side for side in query.key.shape[-2:]))
        return torch.cat([background, background + 4], dim=1)

    monkeypatch.setattr(session.segmenter.network, "decode", decode)
    session.draw(0, 1, [(20, 20)], 10)
    list(session.propagate("forward"))
    assert (session.project.ids(4) == 1).all()
    session.draw(4, 0, [(20, 20)], 15)
    drawn = session.project.ids(4)
    list(session.propagate("forward"))
    assert (session.project.ids(4) == drawn).all() and not drawn.all()


def test_an_object_that_is_erased_completely_is_absent_from_the_frame(static):
    static.draw(0, 1, [(20, 20)], 6)
    static.draw(0, 2, [(60, 30)], 6)
    list(static.propagate("forward"))
    static.draw(4, 0, [(20, 20)], 12)
    assert static.project.absent(4) == {1} and set(np.unique(static.project.ids(4))) == {0, 2}
    list(static.propagate("forward", start=4))
    assert [1 in ids for ids in all_ids(static)] == [t < 4 for t in range(COUNT)]
    assert all(2 in ids for ids in all_ids(static))
    static.draw(4, 1, [(20, 20)], 6)
    assert static.project.absent(4) == set()
    assert static.undo() == 4 and static.project.absent(4) == {1}


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_all_objects_can_be_absent_from_a_frame(static, direction):
    """Absent objects are kept without a mask, cleared with the frame, and not enough for a propagation."""
    static.draw(3, 1, [(20, 20)], 6)
    list(static.propagate("both"))
    for t in (1, 5):
        static.draw(t, 0, [(20, 20)], 12)
    list(static.propagate(direction))
    gone = [not ids.any() for ids in all_ids(static)]
    expected = {
        "forward": [t == 1 or t >= 5 for t in range(COUNT)],
        "backward": [t <= 1 or t == 5 for t in range(COUNT)],
    }
    assert gone == expected.get(direction, [t != 3 for t in range(COUNT)])
    static.clear(5)
    assert static.project.absent(5) == set() and 5 not in static.project.drawn.given
    static.draw(3, 0, [(20, 20)], 12)
    with pytest.raises(InputError, match="no object is marked"):
        next(static.propagate(direction))


def test_an_object_with_id_255_is_propagated_next_to_others(static, tmp_path):
    """In an 8-bit mask, 255 next to other ids would be void."""
    static.draw(0, 1, [(20, 20)], 6)
    mask = np.zeros(SIZE, np.uint8)
    mask[30:40, 50:70] = 255
    Image.fromarray(mask).save(static.folder / "mask.png")
    static.load_masks(static.folder / "mask.png", 3)
    list(static.propagate("forward"))
    assert set(np.unique(static.project.ids(COUNT - 1))) == {0, 1, 255}
