"""Photographs that every installation has: those inside scikit-image, with polygons drawn for this project."""

from importlib.resources import files

import skimage.data

from vosmem.data.coco import CocoInstances
from vosmem.data.collage import Collages
from vosmem.data.sets import CachedStills, JoinedStills
from vosmem.data.stills import StillSource

# Photographs without polygons; none shows what a validation photograph shows.
TEXTURES = ("brick.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "clock_motion.png")


def embedded_stills(split: str, min_area: float = 1000.0) -> CocoInstances:
    """The embedded photographs of one side of the split, read through the loader that COCO itself uses.

    Args:
        split: `train` or `val`; no photograph (and no other view of one) is on both sides.
        min_area: instances of fewer pixels are left out.

    Raises:
        InputError: the split is unknown.
    """
    annotations = files("vosmem.data") / "embedded_annotations.json"
    return CocoInstances(str(annotations), str(files(skimage.data)), split=split, min_area=min_area)


def embedded_training_stills(repeats: float, collages: int, collage_size: int, seed: int) -> StillSource:
    """The training photographs, each several times, beside collages made of them and of embedded textures.

    Args:
        repeats: how often each photograph stands in a pass through the set.
        collages: how many collages stand beside them.
        collage_size: side of a collage in pixels.
        seed: base seed of the collages.
    """
    photographs = embedded_stills("train")
    folder = files(skimage.data)
    names = [photographs.name(index) for index in range(len(photographs))]
    made = Collages([str(folder / name) for name in (*names, *TEXTURES)], collages, collage_size, seed)
    return JoinedStills({"photographs": CachedStills(photographs), "collages": made}, {"photographs": repeats})
