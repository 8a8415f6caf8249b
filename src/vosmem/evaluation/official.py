"""The J and F of the DAVIS benchmark's own package in place of this project's.

Run with davis2017-evaluation at commit ac7c43f, whose answers are recorded in the tests.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from jaxtyping import Bool, Float64, Integer

from vosmem.errors import InputError
from vosmem.metrics.registry import METRICS, FrameMetric

# Without its dependencies: opencv-python would overwrite the files of opencv-python-headless, which vosmem installs.
INSTALL = "pip install --no-deps git+https://github.com/davisvideochallenge/davis2017-evaluation.git"


def metrics_of(scorer: str) -> Mapping[str, FrameMetric]:
    """The metrics of a scorer: `builtin`, or `davis2017`, whose J and F are those of the package of that name.

    Means, recall and decay are this project's either way; its decay is right for videos of 256 frames and more.

    Raises:
        InputError: the scorer is unknown, or the package is missing or cannot be imported.
    """
    if scorer == "builtin":
        return METRICS
    if scorer != "davis2017":
        raise InputError(f"scorer={scorer!r} is unknown: use builtin or davis2017")
    try:
        from davis2017.metrics import db_eval_boundary, db_eval_iou
    except ImportError as error:
        raise InputError(
            f"scorer=davis2017 needs the benchmark's own package, but Python reports {str(error)!r}: run {INSTALL}, "
            "or use scorer=builtin"
        ) from error
    return {**METRICS, "J": partial(_by_object, db_eval_iou), "F": partial(_by_object, db_eval_boundary)}


def _by_object(
    measure: Callable[[Bool[np.ndarray, "H W"], Bool[np.ndarray, "H W"]], float],
    true_labels: Integer[np.ndarray, "H W"],
    pred_labels: Integer[np.ndarray, "H W"],
    object_ids: Sequence[int],
) -> Float64[np.ndarray, "K"]:
    with np.errstate(invalid="ignore"):  # the package divides 0 by 0 where both masks are empty, then answers 1
        values = [
            float(measure((true_labels == i).astype(np.uint8), (pred_labels == i).astype(np.uint8))) for i in object_ids
        ]
    return np.array(values, np.float64)
