"""The parts of `vosmem report` that need the configuration of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from omegaconf import OmegaConf

from vosmem.commands.common import make
from vosmem.data.decoding.images import read_labels
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.ops.masks import ids_to_slots
from vosmem.visualization.contact_sheet import SheetRow, contact_sheet
from vosmem.visualization.overlay import overlay


def strip(runs: Mapping[str, Path], sequence: str, frames: Sequence[int], path: Path, height: int) -> Path:
    """Draw the same frames of a sequence as segmented by several evaluations, one row for each.

    Args:
        runs: folders of `vosmem evaluate`, by the title of their row.
        sequence: name of the sequence.
        frames: frame indices; negative ones count from the end. Empty for five, evenly spaced.
        path: of the image.
        height: of each frame, in pixels.

    Raises:
        InputError: a run, its data set or its masks are missing, or the sequence or a frame does not exist.

    Source:
        STM, Figure 6.
    """
    video = _sequence(next(iter(runs.values())), sequence)
    times = [t % len(video) for t in frames] or np.linspace(0, len(video) - 1, 5).astype(int).tolist()
    if any(not -len(video) <= t < len(video) for t in frames):
        raise InputError(f"sequence {sequence!r} has {len(video)} frames: choose --frames from 0 to {len(video) - 1}")
    pictures = {t: np.ascontiguousarray(video.frame(t).permute(1, 2, 0).numpy()) for t in times}
    rows = [SheetRow(name, [overlay(pictures[t], _mask(run, video, t)) for t in times]) for name, run in runs.items()]
    truth = {t: video.labels(t) for t in times}
    if all(labels is not None for labels in truth.values()):
        tinted = [overlay(pictures[t], labels.numpy()) for t, labels in truth.items() if labels is not None]
        rows.insert(0, SheetRow(f"{sequence}, frames {', '.join(map(str, times))}: truth", tinted))
    return contact_sheet(rows, path, height)


def _sequence(run: Path, name: str) -> VideoSequence:
    saved = run / ".hydra" / "config.yaml"
    if not saved.is_file():
        raise InputError(f"{str(run)!r} is not the folder of a run of vosmem evaluate (no .hydra/config.yaml)")
    videos: Sequence[VideoSequence] = make(OmegaConf.load(saved).eval_set)
    for video in videos:
        if video.name == name:
            return video
    raise InputError(f"sequence {name!r} is not in the data set of {str(run)!r}, which starts with {videos[0].name!r}")


def _mask(run: Path, video: VideoSequence, t: int) -> UInt8[np.ndarray, "H W"]:
    path = run / "masks" / video.name / f"{video.frame_names[t]}.png"
    if not path.is_file():
        raise InputError(f"{str(path)!r} is missing: evaluate with save_masks=true")
    return ids_to_slots(read_labels(path), video.object_ids)
