"""Images from COCO files, and the embedded photographs that every installation has."""

import contextlib
import io
from importlib.resources import files
from pathlib import Path

import numpy as np
import skimage.data
from jaxtyping import Bool
from pycocotools.coco import COCO

from vosmem.data.decoding.images import image_size, read_image
from vosmem.data.decoding.regions import coco_area, coco_region
from vosmem.data.sources.image_sets import MAX_IDS, LabelledImage, Sizes
from vosmem.errors import InputError


class CocoInstances:
    """Images with polygons or run-length masks in COCO `instances` format; every instance is an object.

    Args:
        annotations: the JSON file.
        images: folder of the images that it names.
        split: if given, only images whose entry has this `split`.
        min_area: instances of fewer pixels are left out.

    Raises:
        InputError: the file or folder is missing, the file is no COCO instances JSON, or no image has an instance.
    """

    def __init__(self, annotations: str, images: str, split: str | None = None, min_area: float = 100.0):
        self.annotations, self.images, self.min_area = Path(annotations), Path(images), min_area
        if not self.images.is_dir():
            raise InputError(f"image folder {images!r} not found: set the path of the images")
        self._file, self._coco = annotations, _open_coco(annotations)
        entries = [self._coco.imgs[key] for key in sorted(self._coco.imgs)]
        entries = [entry for entry in entries if split is None or entry.get("split") == split]
        self._entries = [entry for entry in entries if self._instances(entry)]
        if not self._entries:
            where = f" in split {split!r}" if split else ""
            raise InputError(f"annotations {annotations!r} hold no image with instances{where}: use another file")

    def __len__(self) -> int:
        return len(self._entries)

    def name(self, index: int) -> str:
        return str(self._entries[index]["file_name"])

    def read(self, index: int) -> LabelledImage:
        """Decode the image and draw its instances, larger first, so that small ones in front stay whole."""
        entry = self._entries[index]
        image = read_image(self.images / entry["file_name"])
        height, width = image.shape[:2]
        if (height, width) != (entry["height"], entry["width"]):
            raise InputError(
                f"image {entry['file_name']!r} is {width}x{height}, its annotations say "
                f"{entry['width']}x{entry['height']}: use the image that was annotated"
            )
        labels = np.zeros((height, width), np.uint8)
        for label, annotation in enumerate(self._instances(entry)[:MAX_IDS], start=1):
            labels[self._mask(annotation, height, width)] = label
        return LabelledImage(image, labels)

    def sizes(self, index: int) -> Sizes:
        """From the image's header and the annotations."""
        entry = self._entries[index]
        return image_size(self.images / entry["file_name"]), (entry["width"], entry["height"])

    def _instances(self, entry: dict) -> list[dict]:
        annotations = self._coco.imgToAnns.get(entry["id"], [])
        kept = [a for a in annotations if not a.get("iscrowd") and a["area"] >= self.min_area]
        return sorted(kept, key=coco_area, reverse=True)

    def _mask(self, annotation: dict, height: int, width: int) -> Bool[np.ndarray, "H W"]:
        try:
            return coco_region(annotation["segmentation"])(height, width)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"annotation {annotation['id']} of {self._file!r} cannot be drawn ({error}): correct or remove it"
            ) from error


def embedded_images(split: str, min_area: float = 1000.0) -> CocoInstances:
    """The photographs inside scikit-image, with polygons drawn for this project.

    Args:
        split: `train` or `val`; no photograph (and no other view of one) is in both.
        min_area: instances of fewer pixels are left out.

    Raises:
        InputError: the split is unknown.
    """
    annotations = files("vosmem.data") / "embedded_annotations.json"
    return CocoInstances(str(annotations), str(files(skimage.data)), split=split, min_area=min_area)


def _open_coco(path: str) -> COCO:
    if not Path(path).is_file():
        raise InputError(f"annotations {path!r} not found: set the path of the instances JSON")
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its timings
            coco = COCO(path)
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise InputError(f"annotations {path!r} are no COCO instances JSON ({error}): use another file") from error
    for annotation in coco.anns.values():
        missing = [key for key in ("image_id", "area", "segmentation") if key not in annotation]
        if missing:
            raise InputError(
                f"annotations {path!r}: annotation {annotation['id']} lacks {missing[0]!r}; write it for every instance"
            )
    return coco
