"""The DAVIS benchmark's own J and F in place of this project's.

Run with davis2017-evaluation at commit ac7c43f; what that package answered is recorded in the tests.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Integer

from vosmem.errors import InputError
from vosmem.metrics.davis import FrameScorer, score_frame

# Without its dependencies: opencv-python would overwrite the files of opencv-python-headless, which vosmem installs.
INSTALL = "pip install --no-deps git+https://github.com/davisvideochallenge/davis2017-evaluation.git"


def frame_scorer(name: str) -> FrameScorer:
    """What scores a frame: `builtin`, or `davis2017` where that package is installed.

    Raises:
        InputError: the name is neither, or the package is missing or cannot be imported.
    """
    if name == "builtin":
        return score_frame
    if name != "davis2017":
        raise InputError(f"scorer={name!r} is unknown: use builtin or davis2017")
    try:
        import davis2017.metrics  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"scorer=davis2017 needs the benchmark's own package, but Python reports {str(error)!r}: run {INSTALL}, "
            "or use scorer=builtin"
        ) from error
    return score_frame_officially


def score_frame_officially(
    true_labels: Integer[np.ndarray, "H W"], pred_labels: Integer[np.ndarray, "H W"], object_ids: Sequence[int]
) -> tuple[Float64[np.ndarray, "K"], Float64[np.ndarray, "K"]]:
    """As `score_frame`, by davis2017-evaluation. Means, recall and decay are this project's, whose decay is right for
    videos of 256 frames and more."""
    from davis2017.metrics import db_eval_boundary, db_eval_iou

    pairs = [((true_labels == i).astype(np.uint8), (pred_labels == i).astype(np.uint8)) for i in object_ids]
    with np.errstate(invalid="ignore"):  # the package divides 0 by 0 where both masks are empty, then answers 1
        j = [float(db_eval_iou(true, predicted)) for true, predicted in pairs]
    f = [float(db_eval_boundary(true, predicted)) for true, predicted in pairs]
    return np.array(j, np.float64), np.array(f, np.float64)
