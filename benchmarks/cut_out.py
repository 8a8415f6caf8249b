"""Score masks from boxes and strokes: J with the true first masks of a data set in DAVIS layout.

    python -m benchmarks.cut_out DAVIS

The box lies 8 pixels around the object; the strokes are its skeleton, and a line 28 pixels around it.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation
from skimage.morphology import skeletonize

from vosmem.data.decoding.images import read_image
from vosmem.data.decoding.mask_files import read_mask
from vosmem.inputs.grabcut import BACKGROUND, OBJECT, mask_from_box, mask_from_strokes
from vosmem.metrics.region import jaccard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("davis", type=Path)
    root = parser.parse_args().davis
    print("sequence, J of the box, J of the strokes")
    for folder in sorted((root / "Annotations" / "480p").iterdir()):
        path = sorted(folder.iterdir())[0]
        frame = read_image(root / "JPEGImages" / "480p" / folder.name / f"{path.stem}.jpg")
        true = read_mask(path).ids > 0
        rows, columns = np.nonzero(true)
        box = (columns.min() - 8, rows.min() - 8, columns.max() + 9, rows.max() + 9)
        found = mask_from_box(frame, tuple(map(int, box))), mask_from_strokes(frame, strokes_of(true))
        print(folder.name, *(f"{100 * jaccard(mask > 0, true):.1f}" for mask in found), flush=True)


def strokes_of(true: np.ndarray) -> np.ndarray:
    strokes = np.zeros(true.shape, np.uint16)
    strokes[binary_dilation(true, iterations=30) & ~binary_dilation(true, iterations=27)] = BACKGROUND
    strokes[binary_dilation(skeletonize(true), iterations=2) & true] = OBJECT
    return strokes


if __name__ == "__main__":
    main()
