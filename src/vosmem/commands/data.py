"""`vosmem data` from its configuration."""

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig

from vosmem.commands.common import make
from vosmem.data.rendering.rendered_videos import RenderedVideos
from vosmem.data.sources.image_sets import ImageSource
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.inference.output.davis_folders import write_davis
from vosmem.visualization.contact_sheet import clip_rows, contact_sheet, image_rows, rendered_rows


def gallery(config: DictConfig) -> Path:
    """Write the contact sheet of `vosmem data gallery`; return its path.

    Raises:
        InputError: the images cannot be used, or `show` is unknown.
    """
    source: ImageSource = make(config.train_images)
    if config.show == "images":
        rows = image_rows(source, config.count, config.seed)
    elif config.show == "clips":
        rows = clip_rows(source, make(config.augmentation), config.count, config.seed)
    elif config.show == "rendered":
        videos = RenderedVideos(source, make(config.scene), config.count, config.seed)
        rows = rendered_rows(videos, config.frames)
    else:
        raise InputError(f"show={config.show!r} is unknown: use images, clips or rendered")
    return contact_sheet(list(rows), Path(config.paths.output_dir) / "gallery.png", config.height)


def render(config: DictConfig) -> Iterator[VideoSequence]:
    """Render and write the videos of `vosmem data render` one by one.

    Raises:
        InputError: the images cannot be used, or the output folder holds a data set.
    """
    videos = RenderedVideos(make(config.train_images), make(config.scene), config.count, config.seed)
    return write_davis(videos, Path(config.output), config.image_set, config.quality)
