"""Running a network over video, frame by frame."""

from vosmem.inference.ensemble import make_propagator
from vosmem.inference.propagation import Propagator

__all__ = ["Propagator", "make_propagator"]
