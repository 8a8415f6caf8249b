"""One page that shows what came out of a video. Nothing is fetched when it is read."""

import base64
import io
from collections.abc import Collection, Mapping, Sequence
from html import escape
from importlib import resources
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vosmem.data.decoding.mask_files import read_mask
from vosmem.data.decoding.notes import Note
from vosmem.files import write_text
from vosmem.inference.sequences.confidence import Check, ObjectConfidence
from vosmem.inputs.user_video import UserVideo
from vosmem.ops.masks import ids_to_slots
from vosmem.segmentation.frame_files import DEFAULT_RATE, MASKS, OVERLAY
from vosmem.visualization.confidence_chart import confidence_chart
from vosmem.visualization.overlay import COLOURS, overlay

MOST_EMBEDDED = 20 * 2**20  # bytes of a video that is put into the page
THUMBNAIL_WIDTH = 480
SHOWN_AT_ONCE = 12  # frames to check; the others unfold
REASONS = {"lost": "lost", "jump": "sudden change of size", "uncertain": "least sure"}


def write_report(
    path: Path,
    video: UserVideo,
    rows: Collection[ObjectConfidence],
    checks: Sequence[Check],
    about: Mapping[str, Any],
) -> None:
    """Write the page. Masks and, where there is one, the overlay video lie beside it already.

    Args:
        path: the page.
        video: what was segmented.
        rows: of each object and frame.
        checks: the frames to look at.
        about: what the results were made of, as plain values.

    Raises:
        OSError: the page could not be written.
    """
    template = Template(resources.files("vosmem.segmentation").joinpath("report.html").read_text(encoding="utf-8"))
    clip = path.parent / OVERLAY
    width, height = video.size
    num_objects = len(video.object_ids)
    page = template.substitute(
        title=escape(video.name),
        summary=f"{_count(len(video), 'frame')} of {width} × {height}, {_count(num_objects, 'object')}",
        verdict=_verdict(rows, video),
        notes=_notes(video.notes),
        video=_player(clip) if clip.is_file() else "",
        checks=_checks(path.parent, video, checks, clip.is_file()),
        objects="\n".join(_object(slot, list(own), video) for slot, own in _by_object(rows)),
        used=_table(about, video),
    )
    write_text(path, page)


def _verdict(rows: Collection[ObjectConfidence], video: UserVideo) -> str:
    """One line that says whether there is anything to worry about."""
    lost = [slot for slot, own in _by_object(rows) if any(row.lost for row in own)]
    if not lost:
        return "<p>No object was lost.</p>"
    names = ", ".join(str(video.object_ids[slot - 1]) for slot in lost)
    return f'<p class="warn">Lost in some frames: {"object" if len(lost) == 1 else "objects"} {names}.</p>'


def _notes(notes: Sequence[Note]) -> str:
    """What was decided about the input, warnings first."""
    if not notes:
        return ""
    lines = [f'<li class="{"warn" if note.warns else "faint"}">{escape(note)}</li>' for note in _warnings_first(notes)]
    return "<h2>Notes on the input</h2>\n<ul>\n" + "\n".join(lines) + "\n</ul>"


def _warnings_first(notes: Sequence[Note]) -> list[Note]:
    return sorted(notes, key=lambda note: not note.warns)


def _player(clip: Path) -> str:
    if clip.stat().st_size > MOST_EMBEDDED:
        source = clip.name
    else:
        source = "data:video/mp4;base64," + base64.b64encode(clip.read_bytes()).decode()
    return f'<video controls loop muted playsinline preload="metadata" src="{source}"></video>'


def _checks(folder: Path, video: UserVideo, checks: Sequence[Check], has_video: bool) -> str:
    """A card for each frame; the checks of one frame share it."""
    if not checks:
        return "<p>None.</p>"
    cards = []
    for t, group in groupby(checks, key=lambda check: check.t):
        text = "<br>".join(f"{_named(check.slot, video)}: {REASONS[check.reason]}" for check in group)
        stem = escape(video.frame_names[t])
        picture = f'<img alt="" src="data:image/jpeg;base64,{_thumbnail(folder, video, t)}">'
        inside = f'{picture}<span class="text"><b>frame {stem}</b><br>{text}</span>'
        seconds = float((t + 0.5) / (video.rate or DEFAULT_RATE))
        tag, attribute = ("button", f' type="button" data-time="{seconds:.4f}"') if has_video else ("div", "")
        cards.append(f'<{tag} class="card"{attribute}>{inside}</{tag}>')
    more = cards[SHOWN_AT_ONCE:]
    folded = f"<details><summary>{len(more)} more</summary>{_grid(more)}</details>" if more else ""
    return _grid(cards[:SHOWN_AT_ONCE]) + folded


def _grid(cards: Sequence[str]) -> str:
    return '<div class="grid">\n' + "\n".join(cards) + "\n</div>"


def _thumbnail(folder: Path, video: UserVideo, t: int) -> str:
    frame = np.ascontiguousarray(video.frame(t).permute(1, 2, 0).numpy())
    ids = read_mask(folder / MASKS / f"{video.frame_names[t]}.png", max_objects=None).ids
    labels = ids_to_slots(ids, video.object_ids)
    return base64.b64encode(_jpeg(overlay(frame, labels))).decode()


def _jpeg(picture: UInt8[np.ndarray, "H W 3"]) -> bytes:
    height, width = picture.shape[:2]
    if width > THUMBNAIL_WIDTH:
        size = THUMBNAIL_WIDTH, max(1, round(height * THUMBNAIL_WIDTH / width))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=80)
    return buffer.getvalue()


def _object(slot: int, rows: Collection[ObjectConfidence], video: UserVideo) -> str:
    """A card with an object's curves."""
    found = [row.mean_probability for row in rows if row.mean_probability is not None]
    lost = sum(row.lost for row in rows)
    chart = confidence_chart(
        [row.t for row in rows],
        [row.mean_probability or 0.0 for row in rows],
        [row.area for row in rows],
        [row.lost for row in rows],
        len(video),
    )
    mean = f"probability {np.mean(found):.2f} on average" if found else "never found"
    where = f'<span class="warn">lost in {_count(lost, "frame")}</span>' if lost else "never lost"
    first, last = escape(video.frame_names[0]), escape(video.frame_names[-1])
    return (
        f'<div class="card"><span class="text"><b>{_named(slot, video)}</b><br>{mean}, {where}</span>'
        f'<div class="chart"><div class="scale"><span>1</span><span>0.5</span><span>0</span></div>{chart}'
        f'<div class="ends"><span>{first}</span><span>{last}</span></div></div></div>'
    )


def _table(about: Mapping[str, Any], video: UserVideo) -> str:
    lines = {"masks used": _plain(list(video.masks_used)), **{name: _plain(value) for name, value in about.items()}}
    return "\n".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in lines.items() if text)


def _plain(value: Any) -> str:
    """A value as a reader would say it; what is not set stays unsaid."""
    if isinstance(value, Mapping):
        said = {name.replace("_", " "): inner for name, inner in value.items() if inner not in (None, False)}
        return ", ".join(name if inner is True else f"{name} {_plain(inner)}" for name, inner in said.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _by_object(rows: Collection[ObjectConfidence]) -> "groupby[int, ObjectConfidence]":
    return groupby(sorted(rows, key=lambda row: (row.slot, row.t)), key=lambda row: row.slot)


def _named(slot: int, video: UserVideo) -> str:
    """An object's colour and id."""
    red, green, blue = COLOURS[(slot - 1) % len(COLOURS)]
    swatch = f'<span class="swatch" style="background:rgb({red},{green},{blue})"></span>'
    return f"{swatch}object {video.object_ids[slot - 1]}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
