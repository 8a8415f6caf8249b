"""Find all problems of a user's videos and masks before a run."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vosmem.data.decoding.notes import Note
from vosmem.errors import InputError
from vosmem.inputs.frame_range import FrameRange
from vosmem.inputs.frames import FrameSource
from vosmem.inputs.manifest import is_manifest, read_manifest
from vosmem.inputs.open import VideoInput, open_videos
from vosmem.inputs.scan import MaskRecord
from vosmem.inputs.wording import counted

SHOWN = 10


@dataclass
class VideoDiagnosis:
    """The findings about one video: `notes` report decisions, `problems` would stop a run."""

    name: str
    source: str  # path of the frames
    masks: str  # path of the masks; empty if there are none
    num_frames: int = 0
    size: tuple[int, int] = (0, 0)  # width and height
    first: str = ""  # stem
    last: str = ""  # stem
    rate: float | None = None  # frames/s; None if unknown
    records: list[MaskRecord] = field(default_factory=list)  # of each readable mask
    masks_used: list[str] = field(default_factory=list)  # labels of the masks that a run would use
    given_at: dict[int, int] = field(default_factory=dict)  # index of the first given frame, by object id
    wide_ids: bool = False  # whether masks would be written as 16-bit grey
    notes: list[Note] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class Diagnosis:
    """The findings about each video, and the problems that kept videos from being found."""

    videos: list[VideoDiagnosis] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def works(self) -> bool:
        """Whether a run would complete."""
        return bool(self.videos) and not self.problems and not any(video.problems for video in self.videos)

    def as_json(self) -> dict[str, Any]:
        """The findings as JSON values."""
        return {"works": self.works, **asdict(self)}


def inspect(
    source: Path,
    mask: Path | None,
    *,
    start: int | str | None = None,
    max_objects: int = 50,
    clean: bool = False,
    frames: FrameRange | None = None,
    thorough: bool = False,
) -> Diagnosis:
    """Read the headers of all frames, and all masks. Bad input raises nothing; it is in the diagnosis.

    Args as in `open_videos`, except that `source` may be a CSV file (`read_manifest`); `thorough` decodes every frame.
    """
    errors: dict[str, InputError] = {}
    try:
        if is_manifest(source):
            if mask is not None:
                raise InputError("--mask is given for a list, which names its masks: leave out --mask")
            videos, errors = read_manifest(source, start=start, max_objects=max_objects, clean=clean, frames=frames)
        else:
            videos = open_videos(source, mask, start=start, max_objects=max_objects, clean=clean, frames=frames)
    except InputError as error:
        return Diagnosis(problems=[str(error)])
    return Diagnosis(
        [_inspect_video(video, thorough) for video in videos], [f"{row}: {error}" for row, error in errors.items()]
    )


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
    diagnosis.notes = [*video.notes, *frames.notes]
    diagnosis.problems = _broken_frames(frames, thorough)
    try:
        scan = video.scan(frames)
        diagnosis.records = scan.records
        diagnosis.notes += scan.notes
        if scan.errors:
            diagnosis.problems += scan.errors
            return diagnosis
        opened = video.video(frames, scan)
    except InputError as error:
        diagnosis.problems.append(str(error))
        return diagnosis
    diagnosis.notes, diagnosis.masks_used, diagnosis.wide_ids = opened.notes, opened.masks_used, opened.wide_ids
    diagnosis.given_at = dict(zip(opened.object_ids, opened.given_at, strict=True))
    return diagnosis


def _broken_frames(frames: FrameSource, thorough: bool) -> list[str]:
    problems = []
    for t in range(len(frames)):
        try:
            if not thorough:
                frames.check(t)
            if thorough or t == 0:  # a header does not reveal each unsupported kind of pixel
                frames.frame(t)
        except InputError as error:
            problems.append(str(error) if f"frame {t} " in str(error) else f"frame {t}: {error}")
    more = len(problems) - SHOWN
    return problems if more <= 0 else [*problems[:SHOWN], f"and {counted(more, 'more frame')}"]
