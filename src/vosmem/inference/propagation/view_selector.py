"""Selection of the part of a frame that the network sees, and of its size."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float, Integer
from torch import Tensor

from vosmem.errors import InputError
from vosmem.inference.propagation.view import View
from vosmem.inference.propagation.window import ObjectBoxes, Window, Zoom, as_boxes, measure_boxes, object_boxes

MOST_ENLARGED = 4  # times, of a frame smaller than `enlarge_to`


def size_factor(side: int, short_side: int, enlarge_to: int) -> float:
    """Return the factor on the size of a frame with that short side, from the arguments of `Propagator`.

    Example:
        >>> [size_factor(side, 480, 480) for side in (960, 480, 240, 60)]
        [0.5, 1.0, 2.0, 4.0]
    """
    return max(min(side, short_side or side), min(enlarge_to, MOST_ENLARGED * side)) / side


class ViewSelector:
    """Selects the view of each frame: the whole frame, or a window that follows the objects.

    Raises:
        InputError: `short_side` is below 16, `enlarge_to` is above it, or `scale` is not above 0.
    """

    def __init__(self, short_side: int, enlarge_to: int, scale: float, zoom: Zoom | None) -> None:
        if short_side and short_side < 16:
            raise InputError(
                f"short side {short_side} is too small: use 16 pixels or more, or 0 for the frames' own size"
            )
        if enlarge_to < 0 or (short_side and enlarge_to > short_side):
            raise InputError(f"enlarge_to={enlarge_to} is not possible: use 0 (never) to the short side, {short_side}")
        if scale <= 0:
            raise InputError(f"scale={scale} is not possible: use a factor above 0, such as 1.0")
        self.short_side, self.enlarge_to, self.scale, self.zoom = short_side, enlarge_to, scale, zoom
        self._boxes: ObjectBoxes | None = None  # of the objects in the previous frame
        # The same, still on the device, which is asked for the numbers when the next frame needs them.
        self._measured: tuple[Float[Tensor, "5"] | None, int] | None = None

    def select(
        self, frame: tuple[int, int], mask: Integer[Tensor, "H W"] | None, num_objects: int, last: View | None
    ) -> View:
        """Select the view of the next frame (height and width); all objects of a given mask lie in its window."""
        factor = self.scale * size_factor(min(frame), self.short_side, self.enlarge_to)
        size = (max(1, round(frame[0] * factor)), max(1, round(frame[1] * factor)))
        if self.zoom is None:
            return View.of(Window(0, 0, *frame), frame, size)
        boxes = self._known_boxes()
        if mask is not None:
            given = object_boxes(mask, num_objects, least=1)  # a given object is never too small to be seen
            boxes = given if boxes is None else given.joined(boxes)
        assert boxes is not None  # the first frame has a mask
        return View.of(self.zoom.window(boxes, None if last is None else last.window, frame), frame, size)

    def state_dict(self) -> dict[str, Any]:
        """Return where the objects are as plain values."""
        boxes = self._known_boxes()
        return {"boxes": None if boxes is None else tuple(boxes)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace where the objects are by a state."""
        self._boxes, self._measured = None if state["boxes"] is None else ObjectBoxes(*state["boxes"]), None

    def update(self, probs: Float[Tensor, "K1 H W"], num_objects: int) -> None:
        """Note where the objects are in the frame that was just segmented."""
        if self.zoom is not None:
            self._measured = measure_boxes(probs.argmax(dim=0), num_objects), num_objects

    def _known_boxes(self) -> ObjectBoxes | None:
        if self._measured is not None:
            self._boxes, self._measured = as_boxes(*self._measured), None
        return self._boxes
