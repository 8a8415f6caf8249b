"""An HTML page of a video's results, which loads nothing from elsewhere."""

import base64
import io
from collections.abc import Collection, Mapping, Sequence
from html import escape
from importlib import resources
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vosmem.data.decoding.notes import Note
from vosmem.files import write_text
from vosmem.inference.sequences.confidence import Check, ObjectConfidence
from vosmem.inputs.user_video import UserVideo
from vosmem.inputs.wording import counted
from vosmem.segmentation.formats.frame_format import DEFAULT_RATE
from vosmem.segmentation.formats.videos import Overlay
from vosmem.segmentation.frame_files import read_slots
from vosmem.visualization.confidence_chart import confidence_chart
from vosmem.visualization.overlay import COLOURS, overlay

MAX_EMBEDDED_BYTES = 20 * 2**20  # of the video
THUMBNAIL_WIDTH = 480
SHOWN_AT_ONCE = 12  # frames to check; further ones are folded
REASONS = {"lost": "lost", "jump": "sudden change of size", "uncertain": "least sure"}


def write_report(
    path: Path,
    video: UserVideo,
    rows: Collection[ObjectConfidence],
    checks: Sequence[Check],
    about: Mapping[str, Any],
) -> None:
    """Write the page next to the masks and the overlay video, if there is one.

    `about` is what the results were made from, as JSON values.
    """
    template = Template(resources.files("vosmem.segmentation").joinpath("report.html").read_text(encoding="utf-8"))
    overlay_path = path.parent / Overlay.paths[0]
    has_video = overlay_path.is_file()
    width, height = video.size
    rows_by_slot = {
        slot: list(own)
        for slot, own in groupby(sorted(rows, key=lambda row: (row.slot, row.t)), key=lambda row: row.slot)
    }
    lost = [str(video.object_ids[slot - 1]) for slot, own in rows_by_slot.items() if any(row.lost for row in own)]
    used = {"masks used": list(video.masks_used), **about}
    page = template.substitute(
        title=escape(video.name),
        summary=f"{counted(len(video), 'frame')} of {width} × {height}, {counted(len(video.object_ids), 'object')}",
        verdict=f'<p class="warn">Lost in some frames: object{"s" * (len(lost) > 1)} {", ".join(lost)}.</p>'
        if lost
        else "<p>No object was lost.</p>",
        notes=_notes(video.notes),
        video=_player(overlay_path) if has_video else "",
        checks=_checks(path.parent, video, checks, has_video),
        objects="\n".join(_object(slot, own, video) for slot, own in rows_by_slot.items()),
        used="\n".join(
            f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>"
            for name, text in ((name, _as_text(value)) for name, value in used.items())
            if text
        ),
    )
    write_text(path, page)


def _notes(notes: Sequence[Note]) -> str:
    """Decisions about the input, warnings first."""
    if not notes:
        return ""
    lines = [
        f'<li class="{"warn" if note.warns else "faint"}">{escape(note)}</li>'
        for note in sorted(notes, key=lambda note: not note.warns)
    ]
    return "<h2>Notes on the input</h2>\n<ul>\n" + "\n".join(lines) + "\n</ul>"


def _player(path: Path) -> str:
    if path.stat().st_size > MAX_EMBEDDED_BYTES:
        source = path.name
    else:
        source = "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()
    return f'<video controls loop muted playsinline preload="metadata" src="{source}"></video>'


def _checks(folder: Path, video: UserVideo, checks: Sequence[Check], has_video: bool) -> str:
    """One card per frame with all its checks. With a video, a card is a button that seeks to its frame."""
    if not checks:
        return "<p>None.</p>"
    cards = []
    for t, group in groupby(checks, key=lambda check: check.t):
        text = "<br>".join(f"{_object_name(check.slot, video)}: {REASONS[check.reason]}" for check in group)
        stem = escape(video.frame_names[t])
        image = f'<img alt="" src="{_thumbnail(folder, video, t)}">'
        content = f'{image}<span class="text"><b>frame {stem}</b><br>{text}</span>'
        seconds = float((t + 0.5) / (video.rate or DEFAULT_RATE))
        tag, attribute = ("button", f' type="button" data-time="{seconds:.4f}"') if has_video else ("div", "")
        cards.append(f'<{tag} class="card"{attribute}>{content}</{tag}>')
    more = cards[SHOWN_AT_ONCE:]
    folded = f"<details><summary>{len(more)} more</summary>{_grid(more)}</details>" if more else ""
    return _grid(cards[:SHOWN_AT_ONCE]) + folded


def _grid(cards: Sequence[str]) -> str:
    return '<div class="grid">\n' + "\n".join(cards) + "\n</div>"


def _thumbnail(folder: Path, video: UserVideo, t: int) -> str:
    frame = np.ascontiguousarray(video.frame(t).permute(1, 2, 0).numpy())
    return jpeg_url(overlay(frame, read_slots(folder, video, t)), THUMBNAIL_WIDTH, quality=80)


def jpeg_url(picture: UInt8[np.ndarray, "H W 3"], max_width: int, quality: int) -> str:
    """A picture, shrunk to `max_width` pixels, as a JPEG in a data URL."""
    image = Image.fromarray(picture)
    if image.width > max_width:
        height = max(1, round(image.height * max_width / image.width))
        image = image.resize((max_width, height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def object_chart(rows: Collection[ObjectConfidence], num_frames: int) -> str:
    """The confidence chart of one object."""
    return confidence_chart(
        [row.t for row in rows],
        [row.mean_probability or 0.0 for row in rows],
        [row.area for row in rows],
        [row.lost for row in rows],
        num_frames,
    )


def _object(slot: int, rows: Collection[ObjectConfidence], video: UserVideo) -> str:
    """A card with the curves of an object."""
    known = [row.mean_probability for row in rows if row.mean_probability is not None]
    num_lost = sum(row.lost for row in rows)
    chart = object_chart(rows, len(video))
    mean = f"probability {np.mean(known):.2f} on average" if known else "never found"
    lost = f'<span class="warn">lost in {counted(num_lost, "frame")}</span>' if num_lost else "never lost"
    first, last = escape(video.frame_names[0]), escape(video.frame_names[-1])
    return (
        f'<div class="card"><span class="text"><b>{_object_name(slot, video)}</b><br>{mean}, {lost}</span>'
        f'<div class="chart"><div class="scale"><span>1</span><span>0.5</span><span>0</span></div>{chart}'
        f'<div class="ends"><span>{first}</span><span>{last}</span></div></div></div>'
    )


def _as_text(value: Any) -> str:
    """A JSON value in words; entries that are not set are left out."""
    if isinstance(value, Mapping):
        entries = {name.replace("_", " "): inner for name, inner in value.items() if inner not in (None, False)}
        return ", ".join(name if inner is True else f"{name} {_as_text(inner)}" for name, inner in entries.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _object_name(slot: int, video: UserVideo) -> str:
    """The colour and id of an object."""
    red, green, blue = COLOURS[(slot - 1) % len(COLOURS)]
    swatch = f'<span class="swatch" style="background:rgb({red},{green},{blue})"></span>'
    return f"{swatch}object {video.object_ids[slot - 1]}"
