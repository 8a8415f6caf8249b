"""First masks by SAM 2 or EdgeTAM of the package transformers, from weights that the user has."""

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, UInt8

from vosmem.errors import InputError
from vosmem.inputs.prompts import Prompt


class PromptableModel:
    """A model that makes a mask from a box and points.

    Source: Ravi et al., SAM 2 (arXiv 2408.00714); Zhou et al., EdgeTAM (CVPR 2025), as implemented in transformers.

    Args:
        weights: folder of `save_pretrained`, or the name of a model that is in the cache of the Hugging Face Hub.
        device: on which the model runs, in fp32.

    Raises:
        InputError: transformers is not installed, or it cannot load the weights.
    """

    def __init__(self, weights: str, device: torch.device):
        if find_spec("transformers") is None:
            raise InputError("cut sam needs transformers, which is not installed: pip install 'vosmem[sam]'")
        from transformers import AutoModelForMaskGeneration, Sam2Processor

        try:
            self._processor = Sam2Processor.from_pretrained(weights, local_files_only=True)
            model = AutoModelForMaskGeneration.from_pretrained(weights, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().split("\n")[0]
            raise InputError(
                f"{weights!r} holds no SAM 2 or EdgeTAM that transformers loads ({reason}): give a folder of "
                "save_pretrained"
            ) from error
        self._model, self._device = model.to(device).eval(), device

    @torch.inference_mode()
    def mask(self, frame: UInt8[np.ndarray, "H W 3"], prompt: Prompt) -> tuple[Bool[np.ndarray, "H W"], float]:
        """Return the mask of an object, and the quality that the model predicts for it, in [0, 1].

        A single point is ambiguous, so for it the best of three masks is taken.

        Raises:
            InputError: the prompt has strokes, has neither a box nor a point on the object, or nothing is found.
        """
        if prompt.strokes is not None:
            raise InputError("cut sam takes boxes and points, and not strokes: give points, or another cut")
        if prompt.box is None and not prompt.points:
            raise InputError("an object has neither a box nor a point on it: give one of them")
        given: dict[str, Any] = {}
        points = [*prompt.points, *prompt.not_points]
        if points:
            given["input_points"] = [[[list(map(float, point)) for point in points]]]
            given["input_labels"] = [[[1] * len(prompt.points) + [0] * len(prompt.not_points)]]
        if prompt.box is not None:
            given["input_boxes"] = [[list(map(float, prompt.box))]]
        inputs = self._processor(images=frame, return_tensors="pt", **given).to(self._device)
        found = self._model(**inputs, multimask_output=prompt.box is None and len(points) == 1)
        masks = self._processor.post_process_masks(found.pred_masks.cpu(), inputs["original_sizes"].cpu())[0][0]
        scores = found.iou_scores[0, 0].float().cpu().clamp(0, 1)
        best = int(scores.argmax())
        if not masks[best].any():
            raise InputError("SAM finds nothing at this prompt: give another box or point")
        return masks[best].numpy(), float(scores[best])


@lru_cache(maxsize=1)
def promptable_model(weights: str, device: torch.device) -> PromptableModel:
    """Return the model of `PromptableModel`, which is loaded once."""
    return PromptableModel(weights, device)
