"""One-hot masks, packing, ids and slots."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vosmem.ops.masks import ids_to_slots, one_hot, other_masks, pack, slots_in_use, slots_to_ids, unpack


def test_one_hot_and_background_cover_every_pixel_once():
    labels = torch.randint(0, 4, (2, 5, 6), dtype=torch.uint8)
    masks = one_hot(labels, 3)
    assert torch.equal(masks.sum(dim=1), (labels > 0).float())
    assert torch.equal((masks * torch.arange(1, 4).view(1, 3, 1, 1)).sum(dim=1), labels.float())


def test_other_masks_leave_the_object_itself_out():
    masks = torch.tensor([0.9, 0.8, 0.1]).view(1, 3, 1, 1)
    torch.testing.assert_close(other_masks(masks).flatten(), torch.tensor([0.9, 1.0, 1.0]))


def test_unpack_is_the_inverse_of_packing():
    valid = slots_in_use(torch.tensor([2, 0, 1]), 2)
    assert valid.tolist() == [[True, True], [False, False], [True, False]]
    masks = torch.rand(3, 2, 4, 4) * valid[..., None, None]
    assert torch.equal(unpack(masks[valid], valid), masks)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 255), min_size=1, max_size=8, unique=True), st.integers(0, 2**32 - 1))
def test_ids_are_unchanged_by_slots_and_back(ids, seed):
    ids = tuple(sorted(ids))
    picture = np.random.default_rng(seed).choice([0, *ids], (5, 7)).astype(np.uint8)
    slots = ids_to_slots(picture, ids)
    assert slots.max() <= len(ids)
    assert np.array_equal(slots_to_ids(slots, ids), picture)


def test_packing_without_valid_packs_all_slots():
    masks = torch.rand(2, 3, 4, 5) / 3
    everything = torch.ones(2, 3, dtype=torch.bool)
    for packed, expected in zip(pack(masks), pack(masks, everything), strict=True):
        assert torch.equal(packed, expected) and packed.dtype == expected.dtype
    valid = torch.tensor([[True, True, False], [True, False, False]])
    packed = pack(masks, valid)
    assert packed.owners.tolist() == [0, 0, 1]
    assert torch.equal(unpack(packed.own[:, 0], valid), masks * valid[:, :, None, None])
    torch.testing.assert_close(packed.rest[0, 0], masks[0, 1] + masks[0, 2])
