"""Formats of pictures for each frame: masks, one picture per object, cut-outs, and the frames themselves."""

from PIL import Image

from vosmem.files import replacing
from vosmem.inference.output.mask_writer import write_labels, write_silhouette
from vosmem.ops.masks import slots_to_ids
from vosmem.segmentation.formats.frame_format import Frame, FrameFormat, Labels
from vosmem.segmentation.formats.videos import cutout

JPEG_QUALITY = 95


class Masks(FrameFormat):
    """Palette PNGs with the ids and colours of the given mask."""

    paths = ("masks/{frame}.png",)

    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        write_labels(self.path(t), slots_to_ids(labels, self.video.object_ids), self.video.palette)


class Objects(FrameFormat):
    """A black and white picture per object and frame."""

    paths = ("objects/{object}/{frame}.png",)

    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        for slot, object_id in enumerate(self.video.object_ids, start=1):
            write_silhouette(self.path(t, object_id=object_id), labels == slot)


class Cutouts(FrameFormat):
    """All objects with transparency around them, as PNGs; black where they are transparent."""

    paths = ("cutouts/{frame}.png",)

    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        with replacing(self.path(t)) as partial:
            Image.fromarray(cutout(frame, labels)).save(partial, format="PNG")


class Images(FrameFormat):
    """The frames as JPEGs, for tools that need pictures next to annotations."""

    paths = ("images/{frame}.jpg",)

    def add(self, t: int, frame: Frame, labels: Labels) -> None:
        with replacing(self.path(t)) as partial:
            Image.fromarray(frame).save(partial, format="JPEG", quality=JPEG_QUALITY)
