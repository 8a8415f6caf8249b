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


def test_each_object_is_refined_from_its_prompt(small_stm, scene, monkeypatch):
    """With a refinement that changes nothing, a box is its own mask, and strokes give that of GrabCut."""
    monkeypatch.setattr(first_mask, "refine", unchanged)
    strokes = np.zeros(scene[0].shape[:2], np.uint16)
    strokes[40, 90:110], strokes[5] = 1, 2
    prompts = [Prompt(box=(20, 20, 60, 60)), Prompt(strokes=strokes)]
    found = make_first_mask(scene[0], prompts, CPU, network=CPU.ready(small_stm))
    assert (found.ids == 1).sum() == 40 * 40 and overlap(found.ids == 2, scene[1][1]) > 0.95
    assert found.quality[0] == pytest.approx(40 * 40 / 44**2) and found.quality[1] > 0.95
    assert [note.decision for note in found.notes] == [Decision.FIRST_MASK] * 2


def test_points_and_the_reach_of_a_box_are_kept(small_stm, scene, monkeypatch):
    monkeypatch.setattr(first_mask, "refine", lambda network, frame, rough, *passes: [0 * rough + 1])
    prompt, network = Prompt(box=(20, 20, 60, 60), not_points=((40.0, 25.0),)), CPU.ready(small_stm)
    found = make_first_mask(scene[0], [prompt], CPU, network=network)
    assert not found.ids[25, 40] and found.ids[30, 30]
    assert found.ids[18:62, 18:62].mean() > 0.95 and found.ids.sum() < 44 * 44
    monkeypatch.setattr(first_mask, "refine", lambda network, frame, rough, *passes: [0 * rough])
    found = make_first_mask(scene[0], [Prompt(box=(20, 20, 60, 60))], CPU, network=network)
    assert found.ids.sum() == 40 * 40  # an empty result does not count


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
