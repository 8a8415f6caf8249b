"""The first mask of a video, from prompts instead of a drawn mask."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, UInt8

from vosmem.data.decoding.notes import Note
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.prompts.network import prompt_network
from vosmem.inference.prompts.promptable import promptable_model
from vosmem.inference.prompts.refinement import refine
from vosmem.inputs.grabcut import OBJECT
from vosmem.inputs.prompts import Prompt, correct, cut_out, join_objects, point_strokes, quality_note
from vosmem.metrics.region import jaccard
from vosmem.networks.network import MemoryNetwork

CUTS = ("network", "grabcut")
SAM = "sam:"  # and weights
PASSES = 3  # of the network in a window, from each rough mask
WHOLE_FRAMES = 2  # passes before them if the rough mask does not show how large the object is


class FirstMask(NamedTuple):
    """A first mask.

    Attributes:
        ids: object k is that of prompt k - 1; 0 is background.
        quality: predicted quality of each object, in [0, 1]: the agreement (J) of its mask with that of a perturbed
            prompt, or what SAM predicts.
        notes: decisions, with a warning for each object of low quality.
    """

    ids: UInt8[np.ndarray, "H W"]
    quality: tuple[float, ...]
    notes: tuple[Note, ...]


def make_first_mask(
    frame: UInt8[np.ndarray, "H W 3"],
    prompts: Sequence[Prompt],
    engine: Engine,
    cut: str = "network",
    network: MemoryNetwork | None = None,
) -> FirstMask:
    """Make the first mask of one object per prompt.

    Args:
        frame: RGB.
        prompts: of the objects 1, 2, ...
        engine: that the network runs on.
        cut: `network` refines the prompt's rough mask by a network, that of strokes after GrabCut; `grabcut` is GrabCut
            without a network; `sam:WEIGHTS` uses a `PromptableModel`.
        network: trained on rough masks, as an engine made it ready; None for the bundled one.

    Raises:
        InputError: `cut` is unknown, there is no prompt, a prompt cannot hold an object, or others hide an object.
    """
    if cut not in CUTS and not cut.startswith(SAM):
        raise InputError(f"cut={cut!r} is unknown: use {', '.join(CUTS)} or {SAM}WEIGHTS")
    if not prompts:
        raise InputError("no object is given: give a box, points or strokes for each")
    if cut.startswith(SAM):
        model = promptable_model(cut.removeprefix(SAM), engine.device)
        found = [model.mask(frame, prompt) for prompt in prompts]
    else:
        if network is None and cut == "network":
            network = prompt_network(engine.device, engine.precision)
        found = [_find(frame, prompt, None if cut == "grabcut" else network, engine) for prompt in prompts]
    ids, notes = join_objects([mask for mask, _ in found])
    quality = tuple(own for _, own in found)
    return FirstMask(ids, quality, (*notes, *map(quality_note, range(1, len(quality) + 1), quality)))


def correct_mask(
    frame: UInt8[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"], prompt: Prompt, engine: Engine, cut: str
) -> Bool[np.ndarray, "H W"]:
    """Correct the mask of an object at the points of a prompt by GrabCut, and refine it unless that is `cut`.

    The arguments are those of `make_first_mask`. The result is empty if a point off the object removes all of it.
    """
    rough = correct(frame, mask, prompt)
    if cut == "grabcut" or not rough.any():
        return rough
    network = prompt_network(engine.device, engine.precision)
    return _refined(frame, rough, prompt, network, engine)


def _find(
    frame: UInt8[np.ndarray, "H W 3"], prompt: Prompt, network: MemoryNetwork | None, engine: Engine
) -> tuple[Bool[np.ndarray, "H W"], float]:
    """Return the mask of an object, and its predicted quality."""
    mask = _mask(frame, prompt, network, engine)
    try:
        other = _mask(frame, prompt.perturbed(frame.shape[:2]), network, engine)
    except InputError:  # nothing is found, which agrees with no mask
        return mask, 0.0
    return mask, float(jaccard(mask, other))


def _mask(
    frame: UInt8[np.ndarray, "H W 3"], prompt: Prompt, network: MemoryNetwork | None, engine: Engine
) -> Bool[np.ndarray, "H W"]:
    if network is None:
        return cut_out(frame, prompt)
    # The network was trained on boxes and discs, and not on thin strokes.
    rough = prompt.rough(frame.shape[:2]) if prompt.strokes is None else cut_out(frame, prompt)
    return _refined(frame, rough, prompt, network, engine, 0 if prompt.shows_size else WHOLE_FRAMES)


def _refined(
    frame: UInt8[np.ndarray, "H W 3"],
    rough: Bool[np.ndarray, "H W"],
    prompt: Prompt,
    network: MemoryNetwork,
    engine: Engine,
    whole_frames: int = 0,
) -> Bool[np.ndarray, "H W"]:
    """Return the mask after the passes of the network, with the points and strokes as given; never an empty one."""
    image = torch.from_numpy(frame).to(engine.device).permute(2, 0, 1).float() / 255
    start = torch.from_numpy(rough).to(engine.device).float()
    with engine.context():
        probs = refine(network, image, start, whole_frames + PASSES, whole_frames)[-1].float().cpu().numpy()
    strokes = point_strokes(prompt, rough.shape) if prompt.strokes is None else prompt.strokes
    mask = np.where(strokes > 0, strokes == OBJECT, probs > 0.5) & prompt.reach(rough.shape)
    return mask if mask.any() else rough
