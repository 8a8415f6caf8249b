"""Segment a user's video into a folder of results."""

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vosmem.data.decoding.notes import Note
from vosmem.errors import InputError
from vosmem.inference.engine.background import BackgroundWriter
from vosmem.inference.sequences.confidence import Check, ConfidenceTracker, frames_to_check
from vosmem.inference.sequences.directions import DirectedPropagation, Given, given_masks
from vosmem.inference.sequences.methods import ResumableMethod, SegmentedFrame
from vosmem.inputs.user_video import UserVideo
from vosmem.segmentation.frame_files import (
    PROBABILITIES,
    REPORT_NAME,
    FrameFiles,
    SegmentOptions,
    frames_complete,
    missing_formats,
    write_formats,
)
from vosmem.segmentation.record import REPORT, SPILL, RunRecord, describe_video
from vosmem.segmentation.report import write_report
from vosmem.segmentation.run_state import ChecksummedVideo, RunState, Stateful
from vosmem.segmentation.run_statistics import RunStatistics
from vosmem.segmentation.tables import CHECKS_TABLE, OBJECTS_TABLE, write_tables
from vosmem.stopping import Stopped, StopSignals


class VideoProgress(NamedTuple):
    """Progress on a video."""

    done: int  # steps; a video in both directions has two steps per frame
    total: int
    memory_bytes: int  # size of the network's memory


@dataclass
class VideoResult:
    """The results of a video."""

    folder: Path
    num_frames: int
    skipped: bool = False  # whether the results existed before
    notes: list[Note] = field(default_factory=list)  # decisions about the input
    checks: list[Check] = field(default_factory=list)  # frames that a person should check
    seconds: float = 0.0  # duration of the run
    memory_frames: int = 0  # largest number of frames in memory
    memory_bytes: int = 0  # largest size of the memory
    num_done_before: int = 0  # frames that an interrupted run had written
    memory_limits: str = ""  # of the memory, in words


def segment_video(
    video: UserVideo,
    make_method: Callable[[], ResumableMethod],
    device: torch.device,
    folder: Path,
    options: SegmentOptions,
    about: Mapping[str, Any],
    sources: Mapping[str, Any],
    on_progress: Callable[[VideoProgress], None] = lambda progress: None,
) -> VideoResult:
    """Segment a video and write the results, unless the folder holds them already; continue an interrupted run.

    Formats that are missing in the folder of a finished run are made from its masks.

    SIGTERM and Ctrl-C end the run after a frame (`Stopped`), and the next one continues there. Only a few frames are in
    memory at a time. Decoding, network and writing run concurrently. `about` is what else the results depend on
    (weights, memory) and `sources` further entries of the record (paths), both as JSON values.

    Raises:
        InputError: the folder holds something else, or a frame cannot be read; the frames before it are written.
        OSError: a file could not be written.
    """
    given = given_masks(video)
    record = RunRecord(
        folder, {"input": describe_video(video, given), **about, "options": {"direction": options.direction}}
    )
    notes = list(video.notes)
    if record.finished and _network_results_complete(folder, video, options):
        write_formats(folder, video, missing_formats(folder, video, options.formats))
        return VideoResult(folder, len(video), skipped=True, notes=notes)
    record.write(finished=False, **sources, notes=notes)
    run = _Run(video, make_method, device, folder, options, given, record.about, on_progress)
    error = run.segment()
    statistics = run.statistics
    checks = frames_to_check(statistics.rows)
    write_tables(folder, video, statistics.rows, checks, statistics.memory_frames)
    timings = statistics.timings(len(video))
    if error is not None:
        record.write(finished=False, error=str(error), **sources, notes=notes, timings=timings)
        raise error
    if REPORT_NAME in options.write:
        used = {name: value for name, value in record.about.items() if name != "input"}
        write_report(folder / REPORT, video, statistics.rows, checks, {**sources, **used, "timings": timings})
    record.write(finished=True, **sources, notes=notes, timings=timings)
    run.remove_state()
    memory = max(statistics.memory_frames, default=0), statistics.peak_memory_bytes
    return VideoResult(folder, len(video), False, notes, checks, timings["seconds"], *memory, run.num_done_before)


class _Run:
    """The pass or passes over a video, which can be interrupted after every frame."""

    def __init__(
        self,
        video: UserVideo,
        make_method: Callable[[], ResumableMethod],
        device: torch.device,
        folder: Path,
        options: SegmentOptions,
        given: Given,
        about: Mapping[str, Any],
        on_progress: Callable[[VideoProgress], None],
    ):
        self.video, self.folder, self.options, self.given = video, folder, options, given
        self.statistics, self.num_done_before = RunStatistics(), 0
        self._make_method, self._on_progress = make_method, on_progress
        self._method: ResumableMethod | None = None  # of the current pass
        self._tracker = ConfidenceTracker(given.first_areas())
        self._checked = ChecksummedVideo(video)
        self._propagation = DirectedPropagation(
            self._checked, self._make, device, options.direction, given, folder / SPILL, self._after_frame
        )
        parts: dict[str, Stateful] = {
            "propagation": self._propagation,
            "tracker": self._tracker,
            "statistics": self.statistics,
            "frames": self._checked,
        }
        self._state = RunState(folder, about, parts)
        self._signals, self._writer = StopSignals(), BackgroundWriter()

    def segment(self) -> InputError | None:
        """Write frame after frame, after those of an interrupted run; return the error if a frame cannot be read."""
        if not self._state.load(self._has_files):
            shutil.rmtree(self.folder / SPILL, ignore_errors=True)
        with FrameFiles(self.folder, self.video, self.options.formats) as files, self._writer, self._signals:
            frames = self._propagation.frames()
            try:
                self._collect_written(files)
                for segmented in frames:
                    self._write(files, segmented)
                    self._after_frame(self._total - len(self.video) + segmented.t + 1)
            except InputError as error:
                return error
            finally:
                frames.close()
        return None

    def remove_state(self) -> None:
        """Delete what a run that continues would need."""
        self._state.remove()
        shutil.rmtree(self.folder / SPILL, ignore_errors=True)

    @property
    def _total(self) -> int:
        return len(self.video) * (1 if self.options.direction == "forward" else 2)

    def _make(self) -> ResumableMethod:
        self._method = self._make_method()
        return self._method

    def _has_files(self, state: Mapping[str, Any]) -> bool:
        """Whether the files exist that a saved state relies on."""
        spilled = (self.folder / SPILL / f"{t}.npz" for t in state["propagation"]["details"])
        count = state["propagation"]["next_frame"]
        return frames_complete(self.folder, self.video, self.options, count) and all(map(Path.is_file, spilled))

    def _collect_written(self, files: FrameFiles) -> None:
        """Compare the frames of an interrupted run, and add its masks to the files of the whole video."""
        self.num_done_before = self._propagation.next_frame
        for t in self._checked.noted():
            frame = self._checked.frame(t)
            if t < self.num_done_before:
                files.replay_frame(t, _image(frame))

    def _write(self, files: FrameFiles, segmented: SegmentedFrame) -> None:
        t, labels, statistics = segmented.t, segmented.labels, self.statistics
        followed = self.given.followed(t, self.options.direction)
        statistics.rows.extend(self._tracker.update(t, segmented.probs, labels, followed))
        statistics.memory_frames.append(segmented.memory_frames)
        if segmented.seconds is not None:
            statistics.seconds.append(segmented.seconds)
        probs = segmented.probs.float().cpu().numpy() if PROBABILITIES in self.options.write else None
        self._writer.submit(files.write, t, _image(segmented.frame), labels.numpy(), probs)

    def _after_frame(self, done: int) -> None:
        """Report progress after a step, save the state if it is time, and end the run if it was asked to."""
        memory = getattr(self._method, "memory_bytes", 0)
        self.statistics.peak_memory_bytes = max(self.statistics.peak_memory_bytes, memory)
        self._on_progress(VideoProgress(done, self._total, memory))
        asked = self._signals.asked
        if asked is not None or self._state.is_due():
            self._writer.flush()
            self._state.save()
        if asked is not None:
            text = f"video {self.video.name!r} was stopped by {asked.name} after step {done} of {self._total}"
            print(f"\nvosmem: {text}: the same command continues it", file=sys.stderr)
            raise Stopped(128 + asked)


def _image(frame: UInt8[Tensor, "3 H W"]) -> UInt8[np.ndarray, "H W 3"]:
    return frame.permute(1, 2, 0).contiguous().numpy()


def _network_results_complete(folder: Path, video: UserVideo, options: SegmentOptions) -> bool:
    """Whether all results are there that cannot be made from masks and frames."""
    tables = (OBJECTS_TABLE, CHECKS_TABLE, *([REPORT] if REPORT_NAME in options.write else []))
    return frames_complete(folder, video, options, len(video)) and all((folder / name).is_file() for name in tables)
