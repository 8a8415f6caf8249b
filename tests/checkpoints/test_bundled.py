"""Bundled weights are verified, described, and segment an object."""

import numpy as np
import pytest

import vosmem
from vosmem.checkpoints.bundled import DEFAULT, bundled_weights, default_weights
from vosmem.checkpoints.loading import load_network
from vosmem.checkpoints.weights_file import read_about
from vosmem.commands.common import compose, make
from vosmem.metrics.region import jaccard


@pytest.mark.parametrize("name", bundled_weights())
def test_each_bundled_file_is_small_verified_and_has_a_model_card(name):
    path = bundled_weights()[name]
    assert path.stat().st_size <= 16 * 2**20
    load_network(path)  # verifies hash and shapes
    card = path.with_suffix(".md").read_text()
    for part in (read_about(path).sha256, "licence", "Intended use", "davis16", "ImageNet"):
        assert part in card


def test_default_weights_exist():
    assert default_weights() is not None and default_weights()[0] == DEFAULT


def test_default_network_segments_an_unseen_object():
    """An embedded photograph is cut out and moves over another; ten frames."""
    scene = ["eval_set.scene.num_objects=[1,1]", "eval_set.scene.num_frames=10", "eval_set.count=1"]
    sequence = make(compose("evaluate", "eval_set=rendered", *scene).eval_set)[0]
    first = sequence.labels(0).numpy()
    frames = (sequence.frame(t).numpy() for t in range(10))
    true = [sequence.labels(t).numpy() == 1 for t in range(1, 10)]
    found = [found.ids.numpy() == 1 for found in vosmem.load(device="cpu").propagate(frames, first)][1:]
    score = np.mean([jaccard(own, truth) for own, truth in zip(found, true, strict=True)])
    copied = np.mean([jaccard(first == 1, truth) for truth in true])
    assert score > 0.8 > copied
