"""What a user takes away stays away, and what is added is followed."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.app.conftest import COUNT, SIZE, all_ids
from vosmem.errors import InputError


def test_an_erased_part_stays_away_when_it_is_propagated_again(session, monkeypatch):
    def decode(query, readouts):
        """Finds the object everywhere."""
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


def test_an_object_that_is_erased_altogether_is_nowhere_in_that_frame(still):
    still.draw(0, 1, [(20, 20)], 6)
    still.draw(0, 2, [(60, 30)], 6)
    list(still.propagate("forward"))
    still.draw(4, 0, [(20, 20)], 12)
    assert still.project.absent(4) == {1} and set(np.unique(still.project.ids(4))) == {0, 2}
    list(still.propagate("forward", start=4))
    assert [1 in ids for ids in all_ids(still)] == [t < 4 for t in range(COUNT)]
    assert all(2 in ids for ids in all_ids(still))
    still.draw(4, 1, [(20, 20)], 6)
    assert still.project.absent(4) == set()
    assert still.undo() == 4 and still.project.absent(4) == {1}


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_nothing_at_all_can_be_in_a_frame(still, direction):
    """Although no mask says so: it is kept, taken back by clearing, and never the only thing that is said."""
    still.draw(3, 1, [(20, 20)], 6)
    list(still.propagate("both"))
    for t in (1, 5):
        still.draw(t, 0, [(20, 20)], 12)
    list(still.propagate(direction))
    gone = [not ids.any() for ids in all_ids(still)]
    expected = {
        "forward": [t == 1 or t >= 5 for t in range(COUNT)],
        "backward": [t <= 1 or t == 5 for t in range(COUNT)],
    }
    assert gone == expected.get(direction, [t != 3 for t in range(COUNT)])
    still.clear(5)
    assert still.project.absent(5) == set() and 5 not in still.project.drawn.given
    still.draw(3, 0, [(20, 20)], 12)
    with pytest.raises(InputError, match="no object is marked"):
        next(still.propagate(direction))


def test_an_object_of_number_255_is_followed_beside_others(still, tmp_path):
    """As black and white masks have it; of 8 bits, 255 beside other ids would be void."""
    still.draw(0, 1, [(20, 20)], 6)
    mask = np.zeros(SIZE, np.uint8)
    mask[30:40, 50:70] = 255
    Image.fromarray(mask).save(still.folder / "mask.png")
    still.load_masks(still.folder / "mask.png", 3)
    list(still.propagate("forward"))
    assert set(np.unique(still.project.ids(COUNT - 1))) == {0, 1, 255}
