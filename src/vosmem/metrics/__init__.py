"""Measures of masks: J (region), F (boundary), and their statistics by the DAVIS protocol.

A new metric is a file with a function like `jaccard_by_object`, and one line in `registry.py`; results, tables, plots
and validation then report it next to J and F.

Only numpy and OpenCV are imported, so that scoring starts without torch; `vosmem.metrics.mean_scores.MeanScores` is the
torchmetrics metric. Void pixels (255 in some annotations) are background by the time they reach this package: the
reader of annotations replaces them, and a prediction on them counts as a false positive, as in the semi-supervised task
of DAVIS.
"""

from vosmem.metrics.boundary import boundary_f
from vosmem.metrics.davis import ObjectScore, SequenceScorer, Statistics, score_frame, statistics, summarize
from vosmem.metrics.region import jaccard
from vosmem.metrics.registry import METRICS, score_names

__all__ = [
    "METRICS",
    "ObjectScore",
    "SequenceScorer",
    "Statistics",
    "boundary_f",
    "jaccard",
    "score_frame",
    "score_names",
    "statistics",
    "summarize",
]
