"""Neighbourhoods, presence and displacement of objects on the grid of cells."""

import pytest
import torch

from vosmem.ops.locality import cells, displacement, nearness, presence, union
from vosmem.shapes import Prior


def at(row, column, size=(12, 20), objects=1, side=2):
    """Masks with a block each; objects after the first are empty."""
    masks = torch.zeros(1, objects, *size, dtype=torch.float64)
    masks[0, 0, row : row + side, column : column + side] = 1
    return masks


def test_cells_are_means():
    masks = torch.zeros(1, 1, 32, 48)
    masks[..., :16, :8] = 1
    assert cells(masks)[0, 0].tolist() == [[0.5, 0, 0], [0, 0, 0]]


def test_the_union_does_not_depend_on_the_order():
    masks = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(union(masks[:, [2, 0, 1]]), union(masks))
    assert (union(masks) >= masks.amax(dim=1)).all()


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_near_is_within_the_radius_and_its_soft_edge(radius):
    near = nearness(Prior(at(5, 9)), radius, radius)[0]
    rows, columns = torch.meshgrid(torch.arange(12), torch.arange(20), indexing="ij")
    beyond = torch.maximum(
        torch.maximum(5 - rows, rows - 6), torch.maximum(9 - columns, columns - 10)
    )  # rings round the block
    assert (near[beyond > radius + 2] == 0).all()
    assert (near[beyond <= radius - 2] > 1 - 1e-4).all()
    assert (near[beyond == radius] > near[beyond == radius + 1].max()).all()


def test_a_fast_object_has_a_larger_neighbourhood():
    still = nearness(Prior(at(5, 9), None, at(5, 9)), 2, 6)
    moving = nearness(Prior(at(5, 9), None, at(5, 6)), 2, 6)
    torch.testing.assert_close(still, nearness(Prior(at(5, 9)), 2, 6))
    torch.testing.assert_close(moving, nearness(Prior(at(5, 9)), 5, 6))
    torch.testing.assert_close(nearness(Prior(at(5, 9), None, at(5, 0)), 2, 6), nearness(Prior(at(5, 9)), 6, 6))


def test_clips_of_a_batch_have_their_own_radius():
    now, then = torch.cat([at(5, 9), at(5, 9)]), torch.cat([at(5, 9), at(5, 6)])
    together = nearness(Prior(now, None, then), 2, 6)
    for row in range(2):
        single = nearness(Prior(now[row : row + 1], None, then[row : row + 1]), 2, 6)
        torch.testing.assert_close(together[row : row + 1], single)


def test_displacement_is_the_fastest_objects_and_zero_for_new_objects():
    now, then = at(2, 3, objects=2), at(2, 3, objects=2)
    now[0, 1, 8:10, 4:6], then[0, 1, 8:10, 8:10] = 1, 1
    assert displacement(Prior(now, None, then)).item() == pytest.approx(4)
    assert displacement(Prior(now, None, torch.zeros_like(then))).item() == 0


@pytest.mark.parametrize(
    ("filled", "valid", "expected"),
    [
        ((1.0, 1.0), None, 1.0),
        ((1.0, 0.0), None, 0.0),
        ((1.0, 0.05), None, 0.5),
        ((1.0, 0.0), (True, False), 1.0),
        ((0.0, 0.0), (False, False), 0.0),
    ],
)
def test_presence_falls_with_the_least_visible_object(filled, valid, expected):
    masks = torch.tensor(filled).view(1, 2, 1, 1).expand(1, 2, 3, 4)
    given = None if valid is None else torch.tensor([valid])
    assert presence(Prior(masks, given)).item() == pytest.approx(expected)


def test_presence_is_zero_without_objects():
    assert presence(Prior(torch.zeros(1, 0, 3, 4))).item() == 0
