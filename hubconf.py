"""Entries for `torch.hub.load(REPOSITORY, ENTRY)`; the package itself has to be installed (`pip install .`)."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vosmem.inference.sequences.streaming import Segmenter

dependencies = ["torch", "vosmem"]


def remn_small(**options: Any) -> "Segmenter":
    """The REMN that comes with the package, ready to segment videos.

    Args:
        options: `device`, `precision` and `top_k`, as of `vosmem.load`.
    """
    return load("remn_small", **options)


def stm_published(path: str | os.PathLike[str], **options: Any) -> "Segmenter":
    """The STM of its authors, from their `STM_weights.pth` (licensed CC BY-NC-SA), which has to be fetched from them.

    Args:
        path: the file.
        options: as of `remn_small`.
    """
    return load(path, **options)


def stcn_published(path: str | os.PathLike[str], **options: Any) -> "Segmenter":
    """The STCN of its authors, from their `stcn.pth` (MIT licence), which has to be fetched from them.

    Args:
        path: the file.
        options: as of `remn_small`.
    """
    return load(path, **options)


def load(weights: str | os.PathLike[str], **options: Any) -> "Segmenter":
    """Any weights that `vosmem.load` takes: a checkpoint, a weights file, a name, an address on the Hugging Face Hub.

    Args:
        weights: the weights.
        options: as of `remn_small`.
    """
    import vosmem  # here, so that torch.hub says itself that it is not installed

    return vosmem.load(weights, **options)
