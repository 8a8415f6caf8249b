"""Statistics that a run collects from frame to frame."""

import time
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from vosmem.inference.sequences.confidence import ConfidenceRows


class RunStatistics:
    """Confidence, memory and times: 56 bytes for each object in a frame, and 16 for the frame.

    Attributes:
        rows: confidence in each object.
        memory_frames: per frame, the number of memory frames that it was read from.
        seconds: per frame that the network segmented, its time inside the network.
        peak_memory_bytes: largest size of the memory.
    """

    def __init__(self) -> None:
        self.rows = ConfidenceRows()
        self.memory_frames = array("q")
        self.seconds = array("d")
        self.peak_memory_bytes = 0
        self._start = time.perf_counter()

    def timings(self, num_frames: int) -> dict[str, float]:
        """Summarise times and memory, those of an interrupted run included."""
        seconds = time.perf_counter() - self._start
        timings = {"seconds": seconds, "frames_per_second": num_frames / max(seconds, 1e-9)}
        if self.seconds:
            milliseconds = 1000 * np.array(self.seconds)
            timings["network_ms_median"] = float(np.median(milliseconds))
            timings["network_ms_95th_percentile"] = float(np.percentile(milliseconds, 95))
        timings["memory_mb_peak"] = self.peak_memory_bytes / 2**20
        return {name: round(value, 3) for name, value in timings.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the statistics as tensors and plain values."""
        return {
            "rows": self.rows.state_dict(),
            "memory_frames": torch.from_numpy(np.array(self.memory_frames)),
            "seconds": torch.from_numpy(np.array(self.seconds)),
            "peak_memory_bytes": self.peak_memory_bytes,
            "elapsed": time.perf_counter() - self._start,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the statistics by those of a state."""
        self.rows.load_state_dict(state["rows"])
        self.memory_frames = array("q", state["memory_frames"].tolist())
        self.seconds = array("d", state["seconds"].tolist())
        self.peak_memory_bytes = state["peak_memory_bytes"]
        self._start = time.perf_counter() - state["elapsed"]
