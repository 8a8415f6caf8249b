"""From a video with masks to whole results in a folder."""

import shutil
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from vosmem.data.decoding.notes import Note
from vosmem.errors import InputError
from vosmem.inference.engine.background import BackgroundWriter
from vosmem.inference.sequences.confidence import Check, ConfidenceRows, ConfidenceTracker, frames_to_check
from vosmem.inference.sequences.directions import Given, given_masks, segment_in_direction
from vosmem.inference.sequences.methods import Method, SegmentedFrame
from vosmem.inputs.user_video import UserVideo
from vosmem.segmentation.frame_files import FrameFiles, results_are_there
from vosmem.segmentation.options import SegmentOptions
from vosmem.segmentation.record import REPORT, SPILL, RunRecord, describe_video
from vosmem.segmentation.report import write_report
from vosmem.segmentation.tables import write_tables


class VideoProgress(NamedTuple):
    """How far a video is.

    Attributes:
        done: steps done; a video both ways has two for each frame.
        total: steps in all.
        memory_bytes: what the network remembers.
    """

    done: int
    total: int
    memory_bytes: int


@dataclass
class VideoResult:
    """What came out of a video.

    Attributes:
        folder: where it lies.
        num_frames: frames of the video.
        skipped: whether it was there already.
        notes: what the user should know of the input, a line each.
        checks: the frames that a person should look at.
        seconds: from start to end.
    """

    folder: Path
    num_frames: int
    skipped: bool = False
    notes: list[Note] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class _Findings:
    """What is gathered while frames go by: 56 bytes for an object in a frame, and 16 a frame."""

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
    noted: Mapping[str, Any],
    on_progress: Callable[[VideoProgress], None] = lambda progress: None,
) -> VideoResult:
    """Segment a video and write what is asked for; what is there already, whole, is not made again.

    Of the video a few frames are in memory at a time. Decoding, network and writing go on side by side.

    Args:
        video: the video with its masks.
        make_method: makes what segments it, fresh.
        device: where that works.
        folder: where the results go; it is made.
        options: which way, and what is written.
        about: what else the results depend on, as plain values: the weights, the memory.
        noted: what else is worth a note, as plain values: where video and weights came from.
        on_progress: is told how far it is.

    Raises:
        InputError: the folder holds other things, or a frame cannot be read; what came before it is written then.
        OSError: a file could not be written.
    """
    start = time.perf_counter()
    given = given_masks(video)
    record = RunRecord(folder, {"input": describe_video(video, given), **about, "options": asdict(options)})
    if record.finished and results_are_there(folder, video, options):
        return VideoResult(folder, len(video), skipped=True, notes=list(video.notes))
    noted = {**noted, "notes": list(video.notes)}
    record.write(finished=False, **noted)
    shutil.rmtree(folder / SPILL, ignore_errors=True)  # of a run that was killed
    findings = _Findings()
    error = _segment(video, make_method, device, folder, options, given, findings, on_progress)
    checks = frames_to_check(findings.rows)
    write_tables(folder, video, findings.rows, checks, findings.memory_frames)
    seconds = time.perf_counter() - start
    timings = _timings(findings, len(video), seconds)
    if error is not None:
        record.write(finished=False, error=str(error), **noted, timings=timings)
        raise error
    if options.report:
        used = {name: value for name, value in record.about.items() if name != "input"}
        sources = {name: value for name, value in noted.items() if name != "notes"}  # a section of their own
        write_report(folder / REPORT, video, findings.rows, checks, {**sources, **used, "timings": timings})
    record.write(finished=True, **noted, timings=timings)
    return VideoResult(folder, len(video), False, list(video.notes), checks, seconds)


def _segment(
    video: UserVideo,
    make_method: Callable[[], Method],
    device: torch.device,
    folder: Path,
    options: SegmentOptions,
    given: Given,
    findings: _Findings,
    on_progress: Callable[[VideoProgress], None],
) -> InputError | None:
    """Write frame after frame; returns what stopped it, where a frame could not be read."""
    total = len(video) * (1 if options.direction == "forward" else 2)
    methods: list[Method] = []

    def make() -> Method:
        methods[:] = [make_method()]
        return methods[0]

    def report(done: int) -> None:
        memory = getattr(methods[0], "memory_bytes", 0) if methods else 0
        findings.peak_memory_bytes = max(findings.peak_memory_bytes, memory)
        on_progress(VideoProgress(done, total, memory))

    tracker = ConfidenceTracker(given.first_areas())
    frames = segment_in_direction(video, make, device, options.direction, given, folder / SPILL, report)
    with FrameFiles(folder, video, options) as files, BackgroundWriter() as behind:
        try:
            for segmented in frames:
                t = segmented.t
                followed = given.followed(t, options.direction)
                findings.rows.extend(tracker.update(t, segmented.probs, segmented.labels, followed))
                findings.memory_frames.append(segmented.memory_frames)
                findings.seconds.extend([] if segmented.seconds is None else [segmented.seconds])
                behind.submit(files.write, *_on_cpu(segmented, options.soft_masks))
                report(total - len(video) + t + 1)
        except InputError as error:
            return error
        finally:
            frames.close()
    return None


def _on_cpu(segmented: SegmentedFrame, with_probs: bool) -> tuple[Any, ...]:
    """What a frame's files are made of."""
    probs = segmented.probs.float().cpu().numpy() if with_probs else None
    return segmented.t, segmented.frame.permute(1, 2, 0).contiguous().numpy(), segmented.labels.numpy(), probs


def _timings(findings: _Findings, num_frames: int, seconds: float) -> dict[str, float]:
    timings = {"seconds": seconds, "frames_per_second": num_frames / max(seconds, 1e-9)}
    if findings.seconds:
        milliseconds = 1000 * np.array(findings.seconds)
        timings["network_ms_median"] = float(np.median(milliseconds))
        timings["network_ms_95th_percentile"] = float(np.percentile(milliseconds, 95))
    timings["memory_mb_peak"] = findings.peak_memory_bytes / 2**20
    return {name: round(value, 3) for name, value in timings.items()}
