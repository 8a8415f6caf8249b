"""J, the region similarity: intersection over union of two masks."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Integer


def jaccard(true: Bool[np.ndarray, "*T H W"], pred: Bool[np.ndarray, "*T H W"]) -> float | Float64[np.ndarray, "*T"]:
    """Intersection over union of two masks, or of each frame of two stacks of masks.

    Void pixels of the annotation are already background.

    Returns:
        J in [0, 1]: a float for one mask, an array with the leading axes for a stack. 1 where both masks are empty.

    Source:
        Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation, 2016,
        section 4, with the convention of its published code for empty masks.

    Example:
        >>> jaccard(np.array([[True, True, False]]), np.array([[False, True, True]]))
        0.3333333333333333
    """
    if true.ndim > 2:
        return np.array([jaccard(one, other) for one, other in zip(true, pred, strict=True)], np.float64)
    union = np.count_nonzero(true | pred)
    return float(np.count_nonzero(true & pred) / union) if union else 1.0


def jaccard_by_object(
    true_labels: Integer[np.ndarray, "H W"],
    pred_labels: Integer[np.ndarray, "H W"],
    object_ids: Sequence[int],
) -> Float64[np.ndarray, "K"]:
    """J of each object of one frame.

    Args:
        true_labels: The annotated id of each pixel, void already background.
        pred_labels: The predicted id of each pixel.
        object_ids: The ids to score: any ints, in any order, gaps allowed. Every other label is background.

    Returns:
        J in [0, 1] in the order of `object_ids`; 1 for an object in neither.

    Example:
        >>> jaccard_by_object(np.array([[7, 7, 0, 2]]), np.array([[7, 0, 9, 2]]), [2, 7])
        array([1. , 0.5])
    """
    # Comparing and counting bytes is vectorised; a joint histogram by bincount is slower up to ten objects.
    return np.array([jaccard(true_labels == i, pred_labels == i) for i in object_ids], np.float64)
