"""The first mask of a video, from prompts instead of a drawn mask."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, UInt8

from vosmem.data.decoding.notes import Note
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.prompts.refinement import refine
from vosmem.inputs.grabcut import OBJECT
from vosmem.inputs.prompts import Prompt, correct, cut_out, join_objects, point_strokes, quality_note
from vosmem.metrics.region import jaccard
from vosmem.networks.network import MemoryNetwork

CUTS = ("network", "grabcut")


class FirstMask(NamedTuple):
    """A first mask.

    Attributes:
        ids: object k is that of prompt k - 1; 0 is background.
        quality: predicted quality of each object, in [0, 1]: the agreement (J) between masks of the prompt and of a
            perturbed prompt, and between the passes of the network.
        notes: decisions, with a warning for each object of low quality.
    """

    ids: UInt8[np.ndarray, "H W"]
    quality: tuple[float, ...]
    notes: tuple[Note, ...]


def make_first_mask(
    frame: UInt8[np.ndarray, "H W 3"],
    prompts: Sequence[Prompt],
    network: MemoryNetwork,
    engine: Engine,
    cut: str = "network",
) -> FirstMask:
    """Make the first mask of one object per prompt.

    Args:
        frame: RGB.
        prompts: of the objects 1, 2, ...
        network: as `engine` made it ready.
        cut: `network` refines the result of GrabCut by the network, `grabcut` does not.

    Raises:
        InputError: `cut` is unknown, a prompt cannot hold an object, or an object is hidden by others.
    """
    if cut not in CUTS:
        raise InputError(f"cut={cut!r} is unknown: use {' or '.join(CUTS)}")
    if not prompts:
        raise InputError("no object is given: give a box, points or strokes for each")
    found = [_find(frame, prompt, network if cut == "network" else None, engine) for prompt in prompts]
    ids, notes = join_objects([mask for mask, _ in found])
    quality = tuple(own for _, own in found)
    return FirstMask(ids, quality, (*notes, *map(quality_note, range(1, len(quality) + 1), quality)))


def correct_mask(
    frame: UInt8[np.ndarray, "H W 3"],
    mask: Bool[np.ndarray, "H W"],
    prompt: Prompt,
    network: MemoryNetwork,
    engine: Engine,
) -> Bool[np.ndarray, "H W"]:
    """Correct the mask of an object at the points of a prompt by GrabCut, and refine it by the network.

    The arguments are those of `make_first_mask`. The result is empty if a point off the object removes all of it.
    """
    rough = correct(frame, mask, prompt)
    return _refined(frame, rough, prompt, network, engine)[-1] if rough.any() else rough


def _find(
    frame: UInt8[np.ndarray, "H W 3"], prompt: Prompt, network: MemoryNetwork | None, engine: Engine
) -> tuple[Bool[np.ndarray, "H W"], float]:
    """Return the mask of an object, and its predicted quality."""
    with ThreadPoolExecutor(1) as thread:  # GrabCut uses one core
        perturbed = thread.submit(_passes, frame, prompt.perturbed(frame.shape[:2]), network, engine)
        masks = _passes(frame, prompt, network, engine)
    others = masks[:-1]
    try:
        others.append(perturbed.result()[-1])
    except InputError:  # nothing is found, which agrees with no mask
        others.append(np.zeros_like(masks[-1]))
    return masks[-1], float(np.mean([jaccard(masks[-1], other) for other in others]))


def _passes(
    frame: UInt8[np.ndarray, "H W 3"], prompt: Prompt, network: MemoryNetwork | None, engine: Engine
) -> list[Bool[np.ndarray, "H W"]]:
    """Return the mask of GrabCut, and that of each pass of the network."""
    rough = cut_out(frame, prompt)
    return [rough] if network is None else _refined(frame, rough, prompt, network, engine)


def _refined(
    frame: UInt8[np.ndarray, "H W 3"],
    rough: Bool[np.ndarray, "H W"],
    prompt: Prompt,
    network: MemoryNetwork,
    engine: Engine,
) -> list[Bool[np.ndarray, "H W"]]:
    """Return a mask that is not empty, and that of each pass of the network."""
    masks = [rough]
    image = torch.from_numpy(frame).to(engine.device).permute(2, 0, 1).float() / 255
    strokes = point_strokes(prompt, rough.shape) if prompt.strokes is None else prompt.strokes
    with engine.context():
        passes = refine(network, image, torch.from_numpy(rough).to(engine.device).float())
    for probs in passes:
        found = np.where(strokes > 0, strokes == OBJECT, probs.float().cpu().numpy() > 0.5)
        mask = found & prompt.reach(rough.shape)
        masks.append(mask if mask.any() else masks[-1])
    return masks
