"""Contact sheets of images, clips and rendered videos, with their objects tinted."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from vosmem.data.clips.image_clips import ClipAugmentation
from vosmem.data.rendering.rendered_videos import RenderedVideos
from vosmem.data.sources.image_sets import ImageSource
from vosmem.visualization.overlay import overlay

GAP = 4
CAPTION = 18
Picture = UInt8[np.ndarray, "H W 3"]


class SheetRow(NamedTuple):
    """A row of a sheet: RGB images of any sizes under a caption."""

    caption: str
    pictures: list[Picture]


def image_rows(source: ImageSource, count: int, seed: int, columns: int = 3) -> Iterator[SheetRow]:
    """Random images, plain and tinted, several in a row."""
    items = _draw(len(source), count, seed)
    for start in range(0, len(items), columns):
        pictures, names = [], []
        for item in items[start : start + columns]:
            labelled = source.read(item)
            pictures += [labelled.image, overlay(labelled.image, _compact(labelled.labels))]
            names.append(f"{source.name(item)} ({len(np.unique(labelled.labels[labelled.labels > 0]))})")
        yield SheetRow("   ".join(names), pictures)


def clip_rows(source: ImageSource, augmentation: ClipAugmentation, count: int, seed: int) -> Iterator[SheetRow]:
    """Random images with a clip of each: all frames plain, then tinted."""
    for index, item in enumerate(_draw(len(source), count, seed)):
        labelled = source.read(item)
        frames, labels, num_objects = augmentation(labelled, (seed, 0, index), source)
        tinted = [overlay(frame, mask) for frame, mask in zip(frames, labels, strict=True)]
        pictures = [overlay(labelled.image, _compact(labelled.labels)), *frames, *tinted]
        yield SheetRow(f"{source.name(item)}, {num_objects} objects", pictures)


def rendered_rows(videos: RenderedVideos, frames: int) -> Iterator[SheetRow]:
    """Frames of each video, evenly spaced in time; every second one plain."""
    for video in videos:
        times = np.linspace(0, len(video) - 1, frames).round().astype(int)
        pictures = []
        for index, t in enumerate(times):
            frame, labels = video.render(int(t))
            pictures.append(frame if index % 2 else overlay(frame, labels))
        yield SheetRow(f"{video.name}, {len(video.object_ids)} objects, {len(video)} frames", pictures)


def contact_sheet(rows: Sequence[SheetRow], path: Path, height: int) -> Path:
    """Write at least one row of images, each `height` pixels high; the folder of `path` is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(rows, height).save(path)
    return path


def draw_sheet(rows: Sequence[SheetRow], height: int) -> Image.Image:
    """Draw rows of images, each `height` pixels high, under their captions."""
    strips = [np.concatenate([_spaced(_to_height(picture, height)) for picture in row.pictures], 1) for row in rows]
    width = max(strip.shape[1] for strip in strips)
    sheet = Image.new("RGB", (width, len(rows) * (CAPTION + height + GAP)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for index, (row, strip) in enumerate(zip(rows, strips, strict=True)):
        top = index * (CAPTION + height + GAP)
        draw.text((2, top + 2), row.caption, fill=(40, 40, 40), font=font)
        sheet.paste(Image.fromarray(strip), (0, top + CAPTION))
    return sheet


def _draw(length: int, count: int, seed: int) -> list[int]:
    return sorted(int(item) for item in np.random.default_rng(seed).permutation(length)[:count])


def _compact(labels: UInt8[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
    """Renumber ids without gaps, so that neighbours get different colours."""
    ids = np.unique(labels[labels > 0])
    table = np.zeros(256, np.uint8)
    table[ids] = np.arange(1, len(ids) + 1)
    return table[labels]


def _to_height(picture: Picture, height: int) -> UInt8[np.ndarray, "h w 3"]:
    size = (max(1, round(picture.shape[1] * height / picture.shape[0])), height)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_CUBIC)


def _spaced(picture: Picture) -> UInt8[np.ndarray, "H w 3"]:
    return np.pad(picture, ((0, 0), (0, GAP), (0, 0)), constant_values=255)
