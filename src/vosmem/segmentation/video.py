"""Segment a user's video into a folder of results."""

import shutil
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from vosmem.data.decoding.notes import Note
from vosmem.errors import InputError
from vosmem.inference.engine.background import BackgroundWriter
from vosmem.inference.sequences.confidence import Check, ConfidenceRows, ConfidenceTracker, frames_to_check
from vosmem.inference.sequences.directions import Given, given_masks, segment_in_direction
from vosmem.inference.sequences.methods import Method
from vosmem.inputs.user_video import UserVideo
from vosmem.segmentation.frame_files import (
    MASKS,
    PROBABILITIES,
    REPORT_NAME,
    FrameFiles,
    SegmentOptions,
    missing_formats,
    probabilities_complete,
    write_formats,
)
from vosmem.segmentation.record import REPORT, SPILL, RunRecord, describe_video
from vosmem.segmentation.report import write_report
from vosmem.segmentation.tables import CHECKS_TABLE, OBJECTS_TABLE, write_tables


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
    memory_limits: str = ""  # of the memory, in words


@dataclass
class _Statistics:
    """Collected per frame: 56 bytes for each object in a frame, and 16 for the frame."""

    rows: ConfidenceRows = field(default_factory=ConfidenceRows)
    memory_frames: "array[int]" = field(default_factory=lambda: array("q"))
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    peak_memory_bytes: int = 0


def segment_video(
    video: UserVideo,
    make_method: Callable[[], Method],
    device: torch.device,
    folder: Path,
    options: SegmentOptions,
    about: Mapping[str, Any],
    sources: Mapping[str, Any],
    on_progress: Callable[[VideoProgress], None] = lambda progress: None,
) -> VideoResult:
    """Segment a video and write the results, unless the folder holds them already.

    Formats that are missing in the folder of a finished run are made from its masks.

    Only a few frames are in memory at a time. Decoding, network and writing run concurrently. `about` is what else the
    results depend on (weights, memory) and `sources` further entries of the record (paths), both as JSON values.

    Raises:
        InputError: the folder holds something else, or a frame cannot be read; the frames before it are written.
        OSError: a file could not be written.
    """
    start = time.perf_counter()
    given = given_masks(video)
    record = RunRecord(
        folder, {"input": describe_video(video, given), **about, "options": {"direction": options.direction}}
    )
    notes = list(video.notes)
    if record.finished and _network_results_complete(folder, video, options):
        write_formats(folder, video, missing_formats(folder, video, options.formats))
        return VideoResult(folder, len(video), skipped=True, notes=notes)
    record.write(finished=False, **sources, notes=notes)
    shutil.rmtree(folder / SPILL, ignore_errors=True)  # left by a run that was killed
    statistics = _Statistics()
    error = _segment(video, make_method, device, folder, options, given, statistics, on_progress)
    checks = frames_to_check(statistics.rows)
    write_tables(folder, video, statistics.rows, checks, statistics.memory_frames)
    seconds = time.perf_counter() - start
    timings = _timings(statistics, len(video), seconds)
    if error is not None:
        record.write(finished=False, error=str(error), **sources, notes=notes, timings=timings)
        raise error
    if REPORT_NAME in options.write:
        used = {name: value for name, value in record.about.items() if name != "input"}
        write_report(folder / REPORT, video, statistics.rows, checks, {**sources, **used, "timings": timings})
    record.write(finished=True, **sources, notes=notes, timings=timings)
    memory_frames = max(statistics.memory_frames, default=0)
    return VideoResult(folder, len(video), False, notes, checks, seconds, memory_frames, statistics.peak_memory_bytes)


def _segment(
    video: UserVideo,
    make_method: Callable[[], Method],
    device: torch.device,
    folder: Path,
    options: SegmentOptions,
    given: Given,
    statistics: _Statistics,
    on_progress: Callable[[VideoProgress], None],
) -> InputError | None:
    """Write frame after frame; returns the error if a frame cannot be read."""
    total = len(video) * (1 if options.direction == "forward" else 2)
    methods: list[Method] = []

    def make() -> Method:
        methods[:] = [make_method()]
        return methods[0]

    def report(done: int) -> None:
        memory = getattr(methods[0], "memory_bytes", 0) if methods else 0
        statistics.peak_memory_bytes = max(statistics.peak_memory_bytes, memory)
        on_progress(VideoProgress(done, total, memory))

    tracker = ConfidenceTracker(given.first_areas())
    frames = segment_in_direction(video, make, device, options.direction, given, folder / SPILL, report)
    with FrameFiles(folder, video, options.formats) as files, BackgroundWriter() as writer:
        try:
            for segmented in frames:
                t, labels = segmented.t, segmented.labels
                present = given.followed(t, options.direction)
                statistics.rows.extend(tracker.update(t, segmented.probs, labels, present))
                statistics.memory_frames.append(segmented.memory_frames)
                if segmented.seconds is not None:
                    statistics.seconds.append(segmented.seconds)
                image = segmented.frame.permute(1, 2, 0).contiguous().numpy()
                probs = segmented.probs.float().cpu().numpy() if PROBABILITIES in options.write else None
                writer.submit(files.write, t, image, labels.numpy(), probs)
                report(total - len(video) + t + 1)
        except InputError as error:
            return error
        finally:
            frames.close()
    return None


def _network_results_complete(folder: Path, video: UserVideo, options: SegmentOptions) -> bool:
    """Whether all results are there that cannot be made from masks and frames."""
    tables = (OBJECTS_TABLE, CHECKS_TABLE, *([REPORT] if REPORT_NAME in options.write else []))
    return (
        not missing_formats(folder, video, (MASKS,))
        and all((folder / name).is_file() for name in tables)
        and (PROBABILITIES not in options.write or probabilities_complete(folder, video))
    )


def _timings(statistics: _Statistics, num_frames: int, seconds: float) -> dict[str, float]:
    timings = {"seconds": seconds, "frames_per_second": num_frames / max(seconds, 1e-9)}
    if statistics.seconds:
        milliseconds = 1000 * np.array(statistics.seconds)
        timings["network_ms_median"] = float(np.median(milliseconds))
        timings["network_ms_95th_percentile"] = float(np.percentile(milliseconds, 95))
    timings["memory_mb_peak"] = statistics.peak_memory_bytes / 2**20
    return {name: round(value, 3) for name, value in timings.items()}
