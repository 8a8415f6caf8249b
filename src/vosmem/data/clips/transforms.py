"""Transforms for albumentations: a random affine map and crop in a single resampling, and a resize."""

from typing import Any

import albumentations as A
import cv2
import numpy as np

from vosmem.data.clips.framing import IMAGENET_MEAN_BYTES


class CropAffine(A.Affine):
    """albumentations' `Affine` about the centre of a randomly placed square crop, done as one warp.

    Cropping first and warping the crop would show the fill colour at its corners although the image continues there;
    warping the whole image first resamples pixels that are then cropped away. So the matrix includes the crop.

    Args:
        size: side of the crop in pixels; in a smaller image the fill colour shows.
        scale: range of the scale, equal for both axes.
        rotate: range in degrees.
        shear: range in degrees, drawn for each axis.
        translate: range as a share of the crop, drawn for each axis.
        centred: whether the crop is the middle of the image instead of a random part.
        p: probability of the affine map; the crop is always done.

    Source:
        STM section 3.6: "random affine transforms (rotation, sheering, zooming, translation, and cropping)".
    """

    class InitSchema(A.DualTransform.InitSchema):
        """Argument types that albumentations validates."""

        size: int
        scale: tuple[float, float]
        rotate: tuple[float, float]
        shear: tuple[float, float]
        translate: tuple[float, float]
        centred: bool

    def __init__(
        self,
        size: int,
        scale: tuple[float, float] = (1.0, 1.0),
        rotate: tuple[float, float] = (0.0, 0.0),
        shear: tuple[float, float] = (0.0, 0.0),
        translate: tuple[float, float] = (0.0, 0.0),
        centred: bool = False,
        p: float = 1.0,
    ):
        super().__init__(
            scale={"x": scale, "y": scale},
            rotate=rotate,
            shear={"x": shear, "y": shear},
            translate_percent={"x": translate, "y": translate},
            keep_ratio=True,
            mask_interpolation=cv2.INTER_NEAREST,
            fill=IMAGENET_MEAN_BYTES,
            fill_mask=0,
            p=1.0,  # the crop is always done; `map_probability` is that of the affine map
        )
        self.size, self.centred, self.map_probability = size, centred, p

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw the affine map for an image of the crop's size, then prepend the crop's translation.

        Seen in albumentations 2.0.8: the map is a matrix from source to target pixels under the name `matrix`, which
        is not documented. `tests/data/test_library_internals.py` says what broke it.
        """
        height, width = params["shape"][:2]
        drawn = super().get_params_dependent_on_data({**params, "shape": (self.size, self.size)}, data)
        if self.py_random.random() >= self.map_probability:
            drawn["matrix"] = np.eye(3)
        corner = np.eye(3)
        corner[:2, 2] = [-self._corner(width), -self._corner(height)]
        return {**drawn, "matrix": drawn["matrix"] @ corner}

    def apply(self, img: np.ndarray, matrix: np.ndarray, output_shape: tuple[int, int], **params: Any) -> np.ndarray:
        """Warp; albumentations returns the input uncropped if the matrix is the identity."""
        return super().apply(img, matrix, output_shape, **params)[: self.size, : self.size]

    def apply_to_mask(
        self, mask: np.ndarray, matrix: np.ndarray, output_shape: tuple[int, int], **params: Any
    ) -> np.ndarray:
        """Warp with nearest-neighbour interpolation."""
        return super().apply_to_mask(mask, matrix, output_shape, **params)[: self.size, : self.size]

    def _corner(self, length: int) -> int:
        # Whole pixels: a fraction would blur the frame and shift it against its nearest-label mask.
        if length > self.size and not self.centred:
            return self.py_random.randint(0, length - self.size)
        return (length - self.size) // 2


class ZoomShortSide(A.DualTransform):
    """Resize an image so that its short side becomes a random multiple of the crop's side.

    Shrinking averages areas, so that the affine map that follows, which interpolates, does not alias.

    Args:
        size: side of the crop in pixels.
        zoom: range of the short side, in crops.
        p: probability.
    """

    class InitSchema(A.DualTransform.InitSchema):
        """Argument types that albumentations validates."""

        size: int
        zoom: tuple[float, float]

    def __init__(self, size: int, zoom: tuple[float, float] = (1.0, 1.5), p: float = 1.0):
        super().__init__(p=p)
        self.size, self.zoom = size, zoom

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        height, width = params["shape"][:2]
        scale = self.py_random.uniform(*self.zoom) * self.size / min(height, width)
        return {"target": (max(self.size, round(width * scale)), max(self.size, round(height * scale)))}

    def apply(self, img: np.ndarray, target: tuple[int, int], **params: Any) -> np.ndarray:
        """Average when shrinking, interpolate when growing."""
        shrinks = target[0] < img.shape[1]
        return cv2.resize(img, target, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

    def apply_to_mask(self, mask: np.ndarray, target: tuple[int, int], **params: Any) -> np.ndarray:
        return cv2.resize(mask, target, interpolation=cv2.INTER_NEAREST_EXACT)
