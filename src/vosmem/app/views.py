"""The values of the page's components for the state of a session."""

import time
from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any

from vosmem.app.drawing import NONE
from vosmem.app.project import MAX_OBJECTS, THUMBNAIL_WIDTH, Project
from vosmem.app.propagation_job import Progress
from vosmem.app.session import Session
from vosmem.inference.sequences.confidence import Check, ObjectConfidence
from vosmem.inputs.prompts import Prompt, quality_note
from vosmem.inputs.wording import counted
from vosmem.segmentation.formats.frame_format import DEFAULT_RATE
from vosmem.segmentation.report import REASONS, jpeg_url, object_chart
from vosmem.visualization.overlay import COLOURS

LEGEND = {"line": "probability", "area": "area", "lost": "lost"}
MAX_SIDE = 1280  # pixels of a frame's longer side in the page
STRIP = 10  # small frames


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
    absent = ", ".join(object_name(object_id, project) for object_id in sorted(project.absent(t)))
    without = f", without {absent}" if absent else ""
    prompted = project.drawn.prompted.get(t, NONE)
    return {
        "picture": jpeg_url(project.picture(t), MAX_SIDE * width // max(width, height), quality=88),
        "width": width,
        "height": height,
        "t": t,
        "count": len(project.frames),
        "caption": f"{project.name}, frame {project.frames.frame_names[t]}{given}{without}",
        "rate": float(project.frames.rate or DEFAULT_RATE),
        "objects": [
            {"id": object_id, "colour": _colour(index), "name": project.names.get(object_id, "")}
            for index, object_id in enumerate(_selectable_ids(project))
        ],
        "prompts": {str(object_id): _prompt(made.prompt) for object_id, made in prompted.items()},
        "notes": [
            quality_note(object_id, made.quality) for object_id, made in prompted.items() if made.quality is not None
        ],
        "locked": session.is_propagating,
        "at": time.monotonic_ns(),  # makes each value differ from the one before
    }


def charts(session: Session) -> str:
    """Small frames, the confidence curves of each object below them, and frames to check."""
    if not session.is_open or not session.project.results.rows():
        return ""
    project = session.project
    rows, checks = project.results.rows(), project.results.checks()
    legend = "".join(f'<span class="key {kind}"></span>{text} ' for kind, text in LEGEND.items())
    by_object = groupby(sorted(rows, key=lambda row: (row.slot, row.t)), key=lambda row: row.slot)
    figures = "".join(_chart(object_id, list(own), project) for object_id, own in by_object)
    return (
        f'<section aria-label="Confidence">{_strip(project)}{figures}<p class="faint">{legend}</p></section>'
        f'<section aria-label="Frames to check"><h2>Frames to check</h2>{_checks(checks, project)}</section>'
    )


def status(session: Session) -> str:
    """One line on the state of the session, and the notes on the video."""
    if not session.is_open:
        return line("Open a video to begin.")
    project = session.project
    done, count = len(project.results.done), len(project.frames)
    if not project.object_ids:
        text = "Mark an object in any frame: click on it, or draw a box around it."
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


def object_name(object_id: int, project: Project) -> str:
    """The name that the visitor gave an object, or its id."""
    return project.names.get(object_id, f"object {object_id}")


def _prompt(prompt: Prompt) -> dict[str, Any]:
    on, off = ([[*point, label] for point in own] for own, label in ((prompt.points, 1), (prompt.not_points, 0)))
    return {"box": prompt.box, "points": [*on, *off]}


def _strip(project: Project) -> str:
    """Buttons with small frames, evenly spaced over the video."""
    count = len(project.frames)
    shown = sorted({round((k + 0.5) * count / STRIP - 0.5) for k in range(STRIP)}) if count > STRIP else range(count)
    buttons = "".join(
        f'<button type="button" data-go="{t}" aria-label="Frame {escape(project.frames.frame_names[t])}">'
        f'<img alt="" src="{jpeg_url(project.thumbnail(t), THUMBNAIL_WIDTH, quality=75)}"></button>'
        for t in shown
    )
    return f'<div class="strip">{buttons}</div>'


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
    name = f"{_swatch(object_id, project)}{escape(object_name(object_id, project))}"
    chart = object_chart(rows, count)
    return f'<figure><figcaption>{name}</figcaption><div class="chart" data-last="{count - 1}">{chart}</div></figure>'
