"""Views: the part of a frame that the network sees, and how its results return to the frame."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor

from vosmem.inference.propagation.window import Window
from vosmem.ops.padding import STRIDE, Padding, pad, pad_with_colour, padding_to_stride, unpad


class View(NamedTuple):
    """A window of a frame at the network's size, padded to whole memory cells."""

    window: Window  # the part of the frame
    frame: tuple[int, int]  # height and width of the frame
    size: tuple[int, int]  # height and width of the window for the network
    padding: Padding  # the border around it

    @classmethod
    def of(cls, window: Window, frame: tuple[int, int], size: tuple[int, int]) -> "View":
        """Make the view of a window at a size."""
        return cls(window, frame, size, padding_to_stride(*size))

    def image(
        self, frame: Float[Tensor, "3 H W"], border: Float[Tensor, "3"] | None = None
    ) -> Float[Tensor, "1 3 H2 W2"]:
        """Cut, resize and pad a frame in [0, 1] for the network; `border` is the padding's colour, None for black."""
        part = self._cut(frame)
        if tuple(part.shape[-2:]) != self.size:
            part = F.interpolate(part[None], size=self.size, mode="bilinear", antialias=True, align_corners=False)[0]
        return pad_with_colour(part, self.padding, border)[None]

    def labels(self, labels: Integer[Tensor, "H W"]) -> Integer[Tensor, "h w"]:
        """Cut and resize the labels of a frame, without padding."""
        part = self._cut(labels)
        if tuple(part.shape) == self.size:
            return part
        return F.interpolate(part[None, None].float(), size=self.size, mode="nearest-exact")[0, 0].to(labels.dtype)

    def background(self, like: Tensor) -> Float[Tensor, "1 h w"]:
        """Return probabilities of background only."""
        return like.new_ones(1, *self.size)

    def masks(
        self, probs: Float[Tensor, "K1 h w"], bordered: Float[Tensor, "K1known H2 W2"] | None = None
    ) -> Float[Tensor, "1 K H2 W2"]:
        """Pad the objects' masks for the network.

        `bordered` are probabilities with the border, perhaps of fewer objects; their border is kept. Without them the
        border is background.
        """
        masks = pad(probs[1:], self.padding)
        if bordered is not None and any(self.padding):
            border = pad(torch.ones_like(probs[0], dtype=torch.bool), self.padding).logical_not()
            known = bordered.shape[0] - 1
            masks[:known] = torch.where(border, bordered[1:], masks[:known])
        return masks[None]

    def without_border(self, logits: Float[Tensor, "1 K1 H2 W2"]) -> Float[Tensor, "1 K1 h w"]:
        """Remove the border."""
        return unpad(logits, self.padding)

    def back(self, probs: Float[Tensor, "K1 h w"]) -> Float[Tensor, "K1 H W"]:
        """Resize probabilities to the window and put them into the frame, with background outside the window."""
        top, left, height, width = self.window
        if tuple(probs.shape[-2:]) != (height, width):
            probs = F.interpolate(probs[None], size=(height, width), mode="bilinear", align_corners=False)[0]
        if (height, width) == self.frame:
            return probs
        whole = probs.new_zeros(len(probs), *self.frame)
        whole[0] = 1
        whole[:, top : top + height, left : left + width] = probs
        return whole

    def resample(self, cells: Float[Tensor, "1 K h w"], other: "View") -> Float[Tensor, "1 K h w"]:
        """Resample masks from the memory cells of another view to this one's; 0 outside the other view."""
        if other.window == self.window:
            return cells
        rows, columns = (self._coordinates(other, axis, cells) for axis in (0, 1))
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
        return F.grid_sample(cells, grid[None], align_corners=False)

    def _coordinates(self, other: "View", axis: int, cells: Tensor) -> Tensor:
        """Return the centres of this view's cells on the other's grid, in [-1, 1]."""
        count, border = cells.shape[2 + axis], self.padding[2 - 2 * axis]
        pixels = (torch.arange(count, device=cells.device, dtype=cells.dtype) + 0.5) * STRIDE - border
        in_frame = self.window[axis] + pixels * (self.window[2 + axis] / self.size[axis])
        in_other = (in_frame - other.window[axis]) * (other.size[axis] / other.window[2 + axis]) + border
        return in_other / (count * STRIDE) * 2 - 1

    def _cut(self, image: Tensor) -> Tensor:
        top, left, height, width = self.window
        return image[..., top : top + height, left : left + width]
