"""Photographs that every installation has: those inside scikit-image, with polygons drawn for this project."""

from importlib.resources import files

import skimage.data

from vosmem.data.sources.coco import CocoInstances


def embedded_images(split: str, min_area: float = 1000.0) -> CocoInstances:
    """The embedded photographs of one side of the split, read through the loader that COCO itself uses.

    Args:
        split: `train` or `val`; no photograph (and no other view of one) is on both sides.
        min_area: instances of fewer pixels are left out.

    Raises:
        InputError: the split is unknown.
    """
    annotations = files("vosmem.data") / "embedded_annotations.json"
    return CocoInstances(str(annotations), str(files(skimage.data)), split=split, min_area=min_area)
