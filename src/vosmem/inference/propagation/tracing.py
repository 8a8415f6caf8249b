"""Hooks of the propagator, for tools that show where a network attends and what its memory keeps."""

from vosmem.inference.propagation.view import View
from vosmem.memory.policy import Candidate
from vosmem.shapes import Query


class Tracer:
    """Observes the steps of a propagator: set `propagator.tracer` to a subclass that overrides a method."""

    def on_read(self, query: Query | None, view: View) -> None:
        """Observe the read of the current frame; `query` is None if the memory is empty."""

    def on_memorise(
        self, candidate: Candidate, last_kept: Candidate | None, kept: bool, gate_count: float | None
    ) -> None:
        """Observe the policy's decision about the previous frame.

        `gate_count` is the number of frames that the gate then leaves in memory; None if the gate was not asked.
        """
