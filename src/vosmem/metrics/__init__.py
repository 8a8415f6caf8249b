"""How good a mask is: J of its region, F of its boundary, and their statistics as DAVIS defines them.

numpy and OpenCV only, so that scoring starts without torch; the torchmetrics face is
`vosmem.metrics.j_and_f.JAndF`.

Void pixels (255 in some annotations) are background by the time they reach this package: the reader of
annotations turns them, and a prediction on them counts as a false positive, as in the semi-supervised task
of DAVIS.
"""

from vosmem.metrics.boundary import boundary_f
from vosmem.metrics.davis import ObjectScore, SequenceScorer, Statistics, score_frame, statistics, summarize
from vosmem.metrics.region import jaccard

__all__ = [
    "ObjectScore",
    "SequenceScorer",
    "Statistics",
    "boundary_f",
    "jaccard",
    "score_frame",
    "statistics",
    "summarize",
]
