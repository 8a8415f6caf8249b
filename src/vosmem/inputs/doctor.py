"""What is wrong with a user's videos and masks, all of it, before anything is run."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from vosmem.data.decoding.notes import Note
from vosmem.errors import InputError
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.manifest import is_manifest, read_manifest
from vosmem.inputs.open import VideoInput, open_videos
from vosmem.inputs.scan import MaskRecord
from vosmem.inputs.wording import counted

SHOWN = 10


@dataclass
class VideoDiagnosis:
    """One video.

    Attributes:
        name: of the video.
        source: where its frames lie.
        masks: where its masks lie; empty where there are none.
        num_frames: frames that it has.
        size: width and height.
        first: stem of the first frame.
        last: stem of the last.
        rate: frames a second; None where nobody knows.
        records: every mask that could be read.
        masks_used: those that a run would use.
        given_at: the frame at which each object is first given, by id.
        wide_ids: whether masks would be written as 16-bit grey.
        notes: what is unusual and no obstacle.
        problems: what would make a run fail.
    """

    name: str
    source: str
    masks: str
    num_frames: int = 0
    size: tuple[int, int] = (0, 0)
    first: str = ""
    last: str = ""
    rate: float | None = None
    records: list[MaskRecord] = field(default_factory=list)
    masks_used: list[str] = field(default_factory=list)
    given_at: dict[int, int] = field(default_factory=dict)
    wide_ids: bool = False
    notes: list[Note] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class Diagnosis:
    """All videos of an input.

    Attributes:
        videos: what was found.
        problems: what kept videos from being found.
    """

    videos: list[VideoDiagnosis] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def works(self) -> bool:
        """Whether a run would go through."""
        return bool(self.videos) and not self.problems and not any(video.problems for video in self.videos)

    def as_json(self) -> dict[str, Any]:
        """As values that JSON knows."""
        return {"works": self.works, **asdict(self)}


def inspect(
    source: Path,
    mask: Path | None,
    *,
    start: int | str | None = None,
    max_objects: int = 50,
    clean: bool = False,
    thorough: bool = False,
) -> Diagnosis:
    """Look at headers of all frames and at all masks. Nothing is raised for bad input: it is collected.

    Args:
        source: as in `open_videos`, or a list of videos, as in `read_manifest`.
        mask: as in `open_videos`.
        start: as in `open_videos`.
        max_objects: as in `open_videos`.
        clean: as in `open_videos`.
        thorough: whether every frame is decoded too.
    """
    problems: dict[str, InputError] = {}
    try:
        if is_manifest(source):
            if mask is not None:
                raise InputError("--mask is given for a list, which names masks itself: leave it out")
            found, problems = read_manifest(source, start=start, max_objects=max_objects, clean=clean)
        else:
            found = open_videos(source, mask, start=start, max_objects=max_objects, clean=clean)
    except InputError as error:
        return Diagnosis(problems=[str(error)])
    rows = [f"{row}: {error}" for row, error in problems.items()]
    return Diagnosis([_inspect_video(video, thorough) for video in found], rows)


def _inspect_video(video: VideoInput, thorough: bool) -> VideoDiagnosis:
    diagnosis = VideoDiagnosis(video.name, str(video.frames), "" if video.masks is None else str(video.masks))
    try:
        frames = video.open_frames()
    except InputError as error:
        diagnosis.problems.append(str(error))
        return diagnosis
    diagnosis.num_frames, diagnosis.size = len(frames), frames.size
    diagnosis.first, diagnosis.last = frames.frame_names[0], frames.frame_names[-1]
    diagnosis.rate = None if frames.rate is None else float(frames.rate)
    diagnosis.notes += [*video.notes, *frames.notes]
    diagnosis.problems += _broken_frames(frames, frames.frame if thorough else partial(_look, frames))
    try:
        _inspect_masks(video, frames, diagnosis)
    except InputError as error:
        diagnosis.problems.append(str(error))
    return diagnosis


def _inspect_masks(video: VideoInput, frames: FrameSource, diagnosis: VideoDiagnosis) -> None:
    scan = video.scan(frames)
    diagnosis.records = scan.records
    if scan.errors:
        diagnosis.notes += scan.notes
        diagnosis.problems += scan.errors
        return
    diagnosis.notes = [*video.notes, *frames.notes, *scan.notes]  # beside the problem, where there is one
    ready = video.video(frames, scan)
    diagnosis.notes = ready.notes
    diagnosis.masks_used, diagnosis.wide_ids = ready.masks_used, ready.wide_ids
    diagnosis.given_at = dict(zip(ready.object_ids, ready.given_at, strict=True))


def _look(frames: FrameSource, t: int) -> None:
    """Look at a frame's header; the first frame is decoded, since a header does not tell every kind of pixel."""
    frames.check(t)
    if t == 0:
        frames.frame(t)


def _broken_frames(frames: FrameSource, look: Callable[[int], object]) -> list[str]:
    problems = []
    for t in range(len(frames)):
        try:
            look(t)
        except InputError as error:
            problems.append(str(error) if f"frame {t} " in str(error) else f"frame {t}: {error}")
    more = len(problems) - SHOWN
    return problems if more <= 0 else [*problems[:SHOWN], f"and {counted(more, 'more frame')}"]
