"""What comes with the package: whole, described, and good for something."""

import numpy as np
import pytest

import vosmem
from vosmem.checkpoints.bundled import DEFAULT, bundled_weights, default_weights
from vosmem.checkpoints.loading import load_network
from vosmem.checkpoints.weights_file import read_about
from vosmem.commands.common import compose, make
from vosmem.metrics.region import jaccard


@pytest.mark.parametrize("name", bundled_weights())
def test_each_file_is_small_whole_and_has_its_card(name):
    path = bundled_weights()[name]
    assert path.stat().st_size <= 16 * 2**20
    load_network(path)  # verifies hash and shapes
    card = path.with_suffix(".md").read_text()
    for part in (read_about(path).sha256, "licence", "Intended use", "davis16", "ImageNet"):
        assert part in card


def test_the_default_is_there():
    assert default_weights() is not None and default_weights()[0] == DEFAULT


def test_the_default_follows_an_object_that_it_never_saw():
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
