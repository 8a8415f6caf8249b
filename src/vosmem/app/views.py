"""The values of the page's components for the state of a session."""

import time
from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any

from vosmem.app.project import MAX_OBJECTS, Project
from vosmem.app.propagation_job import Progress
from vosmem.app.session import Session
from vosmem.inference.sequences.confidence import Check, ObjectConfidence
from vosmem.inputs.wording import counted
from vosmem.segmentation.report import REASONS, jpeg_url, object_chart
from vosmem.visualization.overlay import COLOURS

LEGEND = {"line": "probability", "area": "area", "lost": "lost"}
MAX_SIDE = 1280  # pixels of a frame's longer side in the page


def canvas(session: Session, t: int) -> dict[str, Any] | None:
    """The value of `canvas.js` for frame t, or for the last frame if there is no frame t; None without a video.

    Raises:
        InputError: the frame cannot be read.
    """
    if not session.is_open:
        return None
    project = session.project
    t = min(max(t, 0), len(project.frames) - 1)
    width, height = project.frames.size
    given = ", mask given" if t in project.drawn.given else ""
    absent = ", ".join(map(str, sorted(project.absent(t))))
    without = f", without {absent}" if absent else ""
    return {
        "picture": jpeg_url(project.picture(t), MAX_SIDE * width // max(width, height), quality=88),
        "width": width,
        "height": height,
        "t": t,
        "count": len(project.frames),
        "caption": f"{project.name}, frame {project.frames.frame_names[t]}{given}{without}",
        "objects": [
            {"id": object_id, "colour": _colour(index)} for index, object_id in enumerate(_selectable_ids(project))
        ],
        "locked": session.is_propagating,
        "at": time.monotonic_ns(),  # makes each value differ from the one before
    }


def charts(session: Session) -> str:
    """Frames to check, and the confidence curves of each object."""
    if not session.is_open or not session.project.results.rows():
        return ""
    project = session.project
    rows, checks = project.results.rows(), project.results.checks()
    legend = "".join(f'<span class="key {kind}"></span>{text} ' for kind, text in LEGEND.items())
    by_object = groupby(sorted(rows, key=lambda row: (row.slot, row.t)), key=lambda row: row.slot)
    figures = "".join(_chart(object_id, list(own), project) for object_id, own in by_object)
    return (
        f'<section aria-label="Frames to check"><h3>Frames to check</h3>{_checks(checks, project)}</section>'
        f'<section aria-label="Confidence"><h3>Confidence</h3><p class="faint">{legend}</p>{figures}</section>'
    )


def status(session: Session) -> str:
    """One line on the state of the session, and the notes on the video."""
    if not session.is_open:
        return line("Open a video to begin.")
    project = session.project
    done, count = len(project.results.done), len(project.frames)
    if not project.object_ids:
        text = "Mark an object in any frame."
    elif not done:
        text = f"{counted(len(project.object_ids), 'object')} marked. Propagate when you are ready."
    elif done < count:
        text = f"{done} of {counted(count, 'frame')} have masks."
    else:
        num_checks = len({check.t for check in project.results.checks()})
        text = f"All {counted(count, 'frame')} have masks; {counted(num_checks, 'frame')} to check."
    notes = "".join(f"<li>{escape(note)}</li>" for note in project.notes)
    return line(text) + (f'<ul class="faint" aria-label="Notes">{notes}</ul>' if notes else "")


def progress_bar(progress: Progress, seconds: float) -> str:
    """The status during a propagation that has taken `seconds` so far."""
    rate = progress.done / max(seconds, 1e-9)
    text = f"{progress.done} of {progress.total}, {rate:.1f} per second" if progress.done else "starting"
    return f'<progress max="{progress.total}" value="{progress.done}" aria-label="Propagation"></progress>{line(text)}'


def line(text: str) -> str:
    """A status line."""
    return f'<p role="status">{escape(text)}</p>'


def _selectable_ids(project: Project) -> list[int]:
    """The ids of all objects and of a new one: the next id or, after the largest id, any free one."""
    known = list(project.object_ids)
    free = [number for number in range(1, MAX_OBJECTS + 1) if number not in known]
    new = next((number for number in free if number > max(known, default=0)), next(iter(free), None))
    return known if new is None else [*known, new]


def _colour(index: int) -> str:
    return "rgb({}, {}, {})".format(*COLOURS[index % len(COLOURS)])


def _swatch(object_id: int, project: Project) -> str:
    ids = project.object_ids
    colour = _colour(ids.index(object_id)) if object_id in ids else "transparent"
    return f'<span class="swatch" style="background: {colour}"></span>'


def _checks(checks: Sequence[Check], project: Project) -> str:
    """A button for each frame to check."""
    if not checks:
        return "<p>None.</p>"
    buttons = []
    for t, own in groupby(checks, key=lambda check: check.t):
        text = ", ".join(f"{_swatch(check.slot, project)}{REASONS[check.reason]}" for check in own)
        name = escape(project.frames.frame_names[t])
        buttons.append(f'<button type="button" data-go="{t}"><b>{name}</b> {text}</button>')
    return f'<div class="checks">{"".join(buttons)}</div>'


def _chart(object_id: int, rows: Sequence[ObjectConfidence], project: Project) -> str:
    count = len(project.frames)
    name, chart = f"{_swatch(object_id, project)}object {object_id}", object_chart(rows, count)
    return f'<figure><figcaption>{name}</figcaption><div class="chart" data-last="{count - 1}">{chart}</div></figure>'
