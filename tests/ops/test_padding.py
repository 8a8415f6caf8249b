"""Padding and its inverse."""

import pytest
import torch

from vosmem.ops.padding import pad, padding_to_stride, unpad


@pytest.mark.parametrize("size", [(480, 854), (16, 16), (1, 1), (17, 31), (203, 310)])
def test_unpad_undoes_pad(size):
    x = torch.rand(2, *size)
    padding = padding_to_stride(*size)
    padded = pad(x, padding)
    assert padded.shape[-2] % 16 == padded.shape[-1] % 16 == 0
    assert max(padded.shape[-2] - size[0], padded.shape[-1] - size[1]) < 16
    assert torch.equal(unpad(padded, padding), x)
    assert padded.sum() == pytest.approx(float(x.sum()))


def test_the_low_side_gets_the_smaller_half():
    assert padding_to_stride(13, 16) == (0, 0, 1, 2)
