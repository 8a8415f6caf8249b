"""Variation is measured with the windows and sizes of an evaluation."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.messages import naming
from vosmem.data.videos import ClipSequence
from vosmem.errors import InputError
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.variation import variations_apart
from vosmem.inference.propagation.window import Zoom
from vosmem.memory.policy import Adaptive, Candidate
from vosmem.ops.locality import cells
from vosmem.ops.masks import one_hot

HEIGHT, WIDTH = 96, 160
CPU = torch.device("cpu")
POLICY = Adaptive(threshold=0.5)


def moving(lefts, kind=ClipSequence):
    """A square of noise on a plain background; `lefts` are its left edges, None for a frame without it."""
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    frames = np.full((len(lefts), HEIGHT, WIDTH, 3), 90, np.uint8)
    labels = np.zeros((len(lefts), HEIGHT, WIDTH), np.uint8)
    for t, left in enumerate(lefts):
        if left is not None:
            frames[t, 32:64, left : left + 32], labels[t, 32:64, left : left + 32] = noise, 1
    return kind("moving", frames, labels, 1)


def found(network, sequence, interval=2, **sizes):
    make = partial(Propagator, network, **sizes, whole_masks=True)
    return list(variations_apart(make, POLICY, sequence, interval, CPU))


def test_equals_the_policys_variation_of_true_masks_and_keys(small_network):
    sequence = moving([16, 20, 40, 44, 48])
    with torch.inference_mode():
        candidates = [
            Candidate(
                t,
                True,
                (1,),
                cells(one_hot(sequence.labels(t)[None], 1))[0],
                torch.ones(()),
                small_network.encode_query(sequence.frame(t)[None].float() / 255).key[0],
            )
            for t in (0, 2, 4)
        ]
        expected = [POLICY.variation(now, before) for before, now in pairwise(candidates)]
    assert found(small_network, sequence) == pytest.approx(expected, abs=1e-5)
    assert expected[0] > expected[1] > 0  # it moved further


def test_a_following_window_reduces_motion(small_network):
    sequence = moving(list(range(10, 110, 10)))
    whole, followed = (found(small_network, sequence, zoom=zoom) for zoom in (None, Zoom(margin=1.5, inertia=0.0)))
    assert len(whole) == len(followed) == 4 and sum(followed) < 0.8 * sum(whole)


def test_pairs_without_an_object_are_left_out(small_network):
    assert len(found(small_network, moving([10, 12, None, 16, 18, 20, 22]))) == 1  # frames 4 and 6
    assert found(small_network, moving([10])) == found(small_network, moving([None, None, None])) == []


def test_frames_without_a_mask_are_left_out(small_network):
    class Sparse(ClipSequence):
        def labels(self, t):
            return None if t in (0, 1, 6) else super().labels(t)

    sparse = moving([10, 12, 14, 16, 18, 20, 22], Sparse)
    assert len(found(small_network, sparse)) == 1  # 2 and 4: counted from 2 on, and 6 has none


def test_no_interval(small_network):
    with pytest.raises(InputError, match=naming("interval=0", "1 or more")):
        found(small_network, moving([10, 12]), interval=0)
