"""Running a network over video, frame by frame."""

from vosmem.inference.propagation import Propagator

__all__ = ["Propagator"]
