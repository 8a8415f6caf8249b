"""First masks: the network's refinement of a rough mask, and the masks, ids and qualities of prompts."""

import numpy as np
import pytest
import torch

from tests.discs import overlap, two_discs
from tests.messages import naming
from vosmem.data.decoding.notes import Decision
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.prompts import first_mask, refinement
from vosmem.inference.prompts.first_mask import make_first_mask
from vosmem.inference.prompts.network import prompt_network
from vosmem.inference.prompts.refinement import refine
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.inputs.grabcut import NothingFound
from vosmem.inputs.prompts import Prompt

CPU = Engine(torch.device("cpu"))


@pytest.fixture(scope="module")
def scene():
    return two_discs()


def test_refinement_sees_a_window_of_twice_the_mask(small_network, scene):
    network = CPU.ready(small_network)
    frame, rough = torch.from_numpy(scene[0]).permute(2, 0, 1) / 255, torch.from_numpy(scene[1][0]).float()
    changed = frame.clone()
    changed[:, :, 120:] = 0  # outside the window
    (probs,), (same,) = (refine(network, image, rough, passes=1) for image in (frame, changed))
    assert probs.shape == rough.shape and probs.min() >= 0 and probs.max() <= 1 and not probs[:, 120:].any()
    torch.testing.assert_close(probs, same)
    assert not torch.equal(
        refine(network, changed, rough, 1, whole_frames=1)[0], refine(network, frame, rough, 1, 1)[0]
    )


def test_each_pass_starts_from_the_last_in_a_window_around_it(small_stm, scene, monkeypatch):
    seen = []

    def halve(network, view, frame, rough):
        seen.append((view.window[2:], float(rough.sum())))
        return rough * (torch.arange(rough.shape[1]) < rough.nonzero()[:, 1].float().mean())

    monkeypatch.setattr(refinement, "_pass", halve)
    frame, rough = torch.from_numpy(scene[0]).permute(2, 0, 1) / 255, torch.from_numpy(scene[1][0]).float()
    refine(CPU.ready(small_stm), frame, rough, passes=3, whole_frames=1)
    windows, areas = zip(*seen, strict=True)
    assert windows[0] == tuple(frame.shape[1:]) and windows[1][1] > windows[2][1]
    assert areas[0] == rough.sum() > areas[1] > areas[2]


def test_refinement_ends_at_an_empty_mask(small_network, scene, monkeypatch):
    monkeypatch.setattr(refinement, "_pass", lambda network, view, frame, rough: 0 * rough)
    frame, rough = torch.from_numpy(scene[0]).permute(2, 0, 1) / 255, torch.from_numpy(scene[1][0]).float()
    assert len(refine(CPU.ready(small_network), frame, rough, passes=3)) == 1


def box_of(disc):
    """The box of a disc as a rough mask."""
    return torch.from_numpy(disc.any(axis=1)[:, None] & disc.any(axis=0)).float()


def unchanged(network, frame, rough, passes, whole_frames):
    return [rough]


def test_a_network_that_returns_its_memory_keeps_the_object(small_network, scene, monkeypatch):
    """With a refinement that changes nothing, the result is that of GrabCut, which lies in the box."""
    monkeypatch.setattr(first_mask, "refine", unchanged)
    network = CPU.ready(small_network)
    found = make_first_mask(
        scene[0], [Prompt(box=(80, 20, 120, 60)), Prompt(box=(20, 20, 60, 60))], CPU, network=network
    )
    for number, disc in zip((2, 1), scene[1], strict=True):
        assert overlap(found.ids == number, disc) > 0.95
    assert all(quality > 0.85 for quality in found.quality)
    assert [note.decision for note in found.notes] == [Decision.FIRST_MASK] * 2


def test_passes_that_disagree_lower_the_quality_and_points_and_box_are_kept(small_network, scene, monkeypatch):
    monkeypatch.setattr(first_mask, "refine", lambda network, frame, rough, *passes: [0 * rough + 1])
    prompt = Prompt(box=(20, 20, 60, 60), not_points=((40.0, 25.0),))
    found = make_first_mask(scene[0], [prompt], CPU, network=CPU.ready(small_network))
    assert not found.ids[25, 40] and found.ids[30, 30]
    assert found.ids[18:62, 18:62].mean() > 0.95 and found.ids.sum() < 44 * 44
    assert found.quality[0] < 0.9
    monkeypatch.setattr(first_mask, "refine", lambda network, frame, rough, *passes: [0 * rough])
    found = make_first_mask(scene[0], [Prompt(box=(20, 20, 60, 60))], CPU, network=CPU.ready(small_network))
    assert overlap(found.ids > 0, scene[1][0]) > 0.95  # an empty pass does not count


def test_estimates_that_differ_much_give_grabcuts(small_network, scene, monkeypatch):
    """Large discs around points, which a network that was not trained for them returns, do not count then."""
    monkeypatch.setattr(first_mask, "refine", unchanged)
    monkeypatch.setattr(Prompt, "rough", lambda prompt, size: scene[1][1])
    prompt = Prompt(points=((40.0, 40.0),), not_points=((100.0, 40.0),))
    found = make_first_mask(scene[0], [prompt], CPU, network=CPU.ready(small_network))
    assert overlap(found.ids > 0, scene[1][0]) > 0.9 and found.quality[0] < 0.7


def test_a_box_in_which_grabcut_finds_nothing_is_left_to_the_network(small_network, scene, monkeypatch):
    def nothing(frame, prompt):
        raise NothingFound("nothing")

    monkeypatch.setattr(first_mask, "cut_out", nothing)
    monkeypatch.setattr(first_mask, "refine", unchanged)
    prompts, network = [Prompt(box=(20, 20, 60, 60))], CPU.ready(small_network)
    assert make_first_mask(scene[0], prompts, CPU, network=network).ids[20:60, 20:60].all()
    with pytest.raises(NothingFound):
        make_first_mask(scene[0], prompts, CPU, "grabcut")


def test_a_perturbed_prompt_that_finds_nothing_is_reported(scene, monkeypatch):
    monkeypatch.setattr(Prompt, "perturbed", lambda prompt, size: Prompt(box=(0, 0, 1, 1)))
    prompts = [Prompt(box=(20, 20, 60, 60))]
    found = make_first_mask(scene[0], prompts, CPU, "grabcut")
    assert found.quality == (0.0,) and overlap(found.ids > 0, scene[1][0]) > 0.95
    assert [note.decision for note in found.notes if note.warns] == [Decision.FIRST_MASK_UNCERTAIN]


def test_the_bundled_network_turns_boxes_and_points_into_masks(scene):
    """Whatever network follows the objects; GrabCut's mask does not pass through it unchanged."""
    network, discs = prompt_network(CPU.device, "fp32"), scene[1]
    estimate = refine(network, torch.from_numpy(scene[0]).permute(2, 0, 1) / 255, box_of(discs[0]))[-1]
    assert overlap(estimate.numpy() > 0.5, discs[0]) > 0.9 > overlap(box_of(discs[0]).numpy() > 0, discs[0])


def test_segmenter_takes_boxes_and_points_as_arrays(small_stm, scene):
    segmenter = Segmenter(small_stm, CPU)
    frame, discs = scene
    boxed = segmenter.first_mask(frame, boxes=np.array([(20, 20, 60, 60)]), cut="grabcut")
    assert overlap(boxed.ids > 0, discs[0]) > 0.95
    pointed = segmenter.first_mask(
        torch.from_numpy(frame).permute(2, 0, 1) / 255,
        points=[[(100, 40), (40, 40)]],
        labels=[[1, 0]],
        cut="grabcut",
    )
    assert overlap(pointed.ids > 0, discs[1]) > 0.9
    assert next(iter(segmenter.propagate([frame], boxed.ids))).objects == (1,)
    for arguments, message in (({"boxes": [(20, 20, 60, 60)], "cut": "knife"}, "cut='knife'"), ({}, "no object")):
        with pytest.raises(InputError, match=naming(message)):
            segmenter.first_mask(frame, **arguments)
