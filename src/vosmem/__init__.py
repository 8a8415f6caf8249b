"""vosmem: semi-supervised video object segmentation with memory networks (STM, REMN)."""

import os
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vosmem.inference.sequences.streaming import Segmenter

__version__ = version("vosmem")
__all__ = ["__version__", "load"]


def load(
    weights: str | os.PathLike[str] | None = None,
    model: str | None = None,
    device: str = "auto",
    precision: str = "fp32",
    top_k: int | None = None,
) -> "Segmenter":
    """A network that is ready to segment videos: `vosmem.load("run/checkpoints/last.ckpt").propagate(frames, mask)`.

    Args:
        weights: checkpoint of a training run, a weights file, the name of one that comes with the package, its address
            `hf://USER/REPO[/FILE][@REVISION]`, or the published STM or STCN weights.
        model: name of weights that come with the package.
        device: `auto` (CUDA, then MPS, then the CPU), `cpu`, `cuda` or `mps`.
        precision: `fp32`, `bf16` (where the device computes in it natively) or `fp16` (GPUs).
        top_k: number of most similar memory cells that each cell of a frame attends to; 0 for all, None as the network
            was made.

    Raises:
        InputError: there are no such weights, they cannot be read, or the device is absent or has no use for the
            precision.
    """
    from vosmem.commands.segmentation import load_segmenter  # here, so that importing vosmem stays light

    return load_segmenter(weights, model, device, precision, top_k)
