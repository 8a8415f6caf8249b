"""Running a network over video, frame by frame."""

from vosmem.inference.propagation.ensemble import make_propagator
from vosmem.inference.propagation.propagator import Propagator

__all__ = ["Propagator", "make_propagator"]
