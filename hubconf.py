"""Entries for `torch.hub.load(REPOSITORY, ENTRY)`; the package must be installed (`pip install .`)."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vosmem.inference.sequences.streaming import Segmenter

dependencies = ["torch", "vosmem"]


def remn_small(**options: Any) -> "Segmenter":
    """Load the bundled REMN, ready to segment videos.

    Args:
        options: `device`, `precision` and `top_k`, as of `vosmem.load`.
    """
    return load("remn_small", **options)


def stm_published(path: str | os.PathLike[str], **options: Any) -> "Segmenter":
    """Load the published STM from its authors' `STM_weights.pth` (licensed CC BY-NC-SA), which you download from them.

    Args:
        path: the file.
        options: as of `remn_small`.
    """
    return load(path, **options)


def stcn_published(path: str | os.PathLike[str], **options: Any) -> "Segmenter":
    """Load the published STCN from its authors' `stcn.pth` (MIT licence), which you download from them.

    Args:
        path: the file.
        options: as of `remn_small`.
    """
    return load(path, **options)


def load(weights: str | os.PathLike[str], **options: Any) -> "Segmenter":
    """Load any weights of `vosmem.load`: a checkpoint, a weights file, a name, or an address on the Hugging Face Hub.

    Args:
        weights: the weights.
        options: as of `remn_small`.
    """
    import vosmem  # here, so that torch.hub reports a missing package itself

    return vosmem.load(weights, **options)
