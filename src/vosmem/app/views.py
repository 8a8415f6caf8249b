"""What the page shows of a session, as values for its components."""

import base64
import io
import time
from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vosmem.app.project import MOST_OBJECTS, Project
from vosmem.app.propagation_job import Progress
from vosmem.app.session import Session
from vosmem.data.decoding.notes import Note
from vosmem.inference.sequences.confidence import Check, ObjectConfidence
from vosmem.inputs.wording import counted
from vosmem.segmentation.report import REASONS
from vosmem.visualization.confidence_chart import confidence_chart
from vosmem.visualization.overlay import COLOURS

LEGEND = {"line": "probability", "area": "area", "lost": "lost"}
MOST_SHOWN = 1280  # pixels of a frame's longer side in the page


def stage(session: Session, t: int) -> dict[str, Any] | None:
    """A frame for the canvas, as `stage.js` takes it; None without a video.

    Args:
        session: whose.
        t: the frame's place; the last frame where there is no such place.

    Raises:
        InputError: the frame cannot be read.
    """
    if not session.is_open:
        return None
    project = session.project
    t = min(max(t, 0), len(project.frames) - 1)
    width, height = project.frames.size
    return {
        "picture": _data_url(project.picture(t)),
        "width": width,
        "height": height,
        "t": t,
        "count": len(project.frames),
        "caption": _caption(project, t),
        "objects": [{"id": number, "colour": _colour(place)} for place, number in enumerate(_chips(project))],
        "locked": session.is_working,
        "at": time.monotonic_ns(),  # so that every value is a new one
    }


def charts(session: Session) -> str:
    """Frames to check, and the confidence of each object over the video."""
    if not session.is_open or not session.project.results.rows():
        return ""
    project = session.project
    rows, checks = project.results.rows(), project.results.checks()
    legend = "".join(f'<span class="key {kind}"></span>{text} ' for kind, text in LEGEND.items())
    drawn = "".join(_chart(number, list(own), project) for number, own in _by_object(rows))
    return (
        f'<section aria-label="Frames to check"><h3>Frames to check</h3>{_checks(checks, project)}</section>'
        f'<section aria-label="Confidence"><h3>Confidence</h3><p class="faint">{legend}</p>{drawn}</section>'
    )


def status(session: Session) -> str:
    """One line on how things stand, and the notes on the video."""
    return _standing(session) + (_notes(session.project.notes) if session.is_open else "")


def _notes(notes: Sequence[Note]) -> str:
    lines = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="faint" aria-label="Notes">{lines}</ul>' if notes else ""


def _standing(session: Session) -> str:
    if not session.is_open:
        return _said("Open a video to begin.")
    project = session.project
    if not project.object_ids:
        return _said("Mark an object in any frame.")
    done, count = len(project.results.done), len(project.frames)
    if not done:
        return _said(f"{counted(len(project.object_ids), 'object')} marked. Propagate when you are ready.")
    if done < count:
        return _said(f"{done} of {counted(count, 'frame')} have masks.")
    num_checks = len({check.t for check in project.results.checks()})
    return _said(f"All {counted(count, 'frame')} have masks; {counted(num_checks, 'frame')} to check.")


def pace(at: Progress, seconds: float) -> str:
    """How far a propagation is.

    Args:
        at: how far.
        seconds: since it began.
    """
    rate = at.done / max(seconds, 1e-9)
    text = f"{at.done} of {at.total}, {rate:.1f} a second" if at.done else "starting"
    return f'<progress max="{at.total}" value="{at.done}" aria-label="Propagation"></progress>{_said(text)}'


def line(text: str) -> str:
    """A line of plain text in the place of `status`."""
    return _said(text)


def _said(text: str) -> str:
    return f'<p role="status">{escape(text)}</p>'


def _caption(project: Project, t: int) -> str:
    given = ", mask given" if t in project.drawn.given else ""
    absent = ", ".join(map(str, sorted(project.absent(t))))
    nowhere = f", without {absent}" if absent else ""
    return f"{project.name}, frame {project.frames.frame_names[t]}{given}{nowhere}"


def _chips(project: Project) -> list[int]:
    """The objects to choose from: those there are, and a new one."""
    known = list(project.object_ids)
    free = [number for number in range(1, MOST_OBJECTS + 1) if number not in known]
    new = next((number for number in free if number > max(known, default=0)), next(iter(free), None))
    return known if new is None else [*known, new]


def _colour(place: int) -> str:
    return "rgb({}, {}, {})".format(*COLOURS[place % len(COLOURS)])


def _data_url(picture: UInt8[np.ndarray, "H W 3"]) -> str:
    height, width = picture.shape[:2]
    factor = MOST_SHOWN / max(height, width)
    if factor < 1:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _by_object(rows: Sequence[ObjectConfidence]) -> "groupby[int, ObjectConfidence]":
    return groupby(sorted(rows, key=lambda row: (row.slot, row.t)), key=lambda row: row.slot)


def _swatch(number: int, project: Project) -> str:
    ids = project.object_ids
    colour = _colour(ids.index(number)) if number in ids else "transparent"
    return f'<span class="swatch" style="background: {colour}"></span>'


def _checks(checks: Sequence[Check], project: Project) -> str:
    """A button for each frame."""
    if not checks:
        return "<p>None.</p>"
    buttons = []
    for t, own in groupby(checks, key=lambda check: check.t):
        text = ", ".join(f"{_swatch(check.slot, project)}{REASONS[check.reason]}" for check in own)
        name = escape(project.frames.frame_names[t])
        buttons.append(f'<button type="button" data-go="{t}"><b>{name}</b> {text}</button>')
    return f'<div class="checks">{"".join(buttons)}</div>'


def _chart(number: int, rows: Sequence[ObjectConfidence], project: Project) -> str:
    count = len(project.frames)
    drawing = confidence_chart(
        [row.t for row in rows],
        [row.mean_probability or 0.0 for row in rows],
        [row.area for row in rows],
        [row.lost for row in rows],
        count,
    )
    name = f"{_swatch(number, project)}object {number}"
    return f'<figure><figcaption>{name}</figcaption><div class="chart" data-last="{count - 1}">{drawing}</div></figure>'
