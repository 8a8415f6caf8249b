"""Propagation: given masks for some frames, find the objects in all frames that follow."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer, Shaped
from torch import Tensor

from vosmem.errors import InputError
from vosmem.memory.policy import MemoryPolicy
from vosmem.networks.network import MemoryNetwork
from vosmem.ops.masks import overwrite
from vosmem.ops.padding import Padding, pad, padding_to_stride, unpad
from vosmem.shapes import Query


class _Frame(NamedTuple):
    """A frame as the network saw it, in case that it is to be memorised."""

    image: Float[Tensor, "1 3 H2 W2"]
    masks: Float[Tensor, "1 K H2 W2"]
    mask_given: bool
    query: Query | None


class Propagator:
    """Segments a video in one pass, holding only the memory and the last frame.

    Args:
        network: the network, in eval mode, on the device where the work is to be done.
        policy: which frames stay in memory.
        short_side: the frames' short side for the network; None keeps their size.
        resize: `down` shrinks frames that are larger than `short_side`, `always` enlarges smaller ones too.
        scale: factor of the size that this gives.

    Raises:
        InputError: `short_side` is below 16, `resize` unknown, or `scale` not above 0.

    Example:
        >>> from vosmem.memory.policy import EveryN
        >>> from vosmem.networks import STM
        >>> network = STM(backbone="resnet18", key_channels=8, value_channels=8, decoder_channels=8, weights="none")
        >>> propagator = Propagator(network.eval(), EveryN(interval=5))
        >>> frames, mask = torch.rand(3, 3, 24, 40), torch.zeros(24, 40, dtype=torch.uint8)
        >>> mask[8:16, 8:16] = 1
        >>> probs = [propagator.step(frame, mask if t == 0 else None) for t, frame in enumerate(frames)]
        >>> probs[2].shape
        torch.Size([2, 24, 40])
    """

    def __init__(
        self,
        network: MemoryNetwork,
        policy: MemoryPolicy,
        short_side: int | None = None,
        resize: str = "down",
        scale: float = 1.0,
    ):
        if short_side is not None and short_side < 16:
            raise InputError(
                f"short side {short_side} is too small: use 16 pixels or more, or null for the frames' own size"
            )
        if resize not in ("down", "always"):
            raise InputError(f"resize={resize!r} is unknown: use down or always")
        if scale <= 0:
            raise InputError(f"scale {scale} is not possible: use a factor above 0, such as 1.0")
        self.network, self.policy = network, policy
        self.short_side, self.resize, self.scale = short_side, resize, scale
        self.bank = policy.make_bank()
        self._frame_index = -1
        self._last: _Frame | None = None

    @property
    def memory_frames(self) -> list[int]:
        """Indices of the frames that the current frame was read from."""
        return self.bank.frames

    @property
    def memory_bytes(self) -> int:
        """Bytes of all that is remembered."""
        return self.bank.nbytes()

    @torch.inference_mode()
    def step(
        self, frame: Float[Tensor, "3 H W"], mask: Shaped[Tensor, "H_mask W_mask"] | None = None
    ) -> Float[Tensor, "K1 H W"]:
        """Segment the next frame.

        Args:
            frame: RGB in [0, 1], any size, the same for the whole video.
            mask: labels 0..K where the user gives them (always for the first frame). Its objects' pixels overwrite
                the estimate; labels above the highest known so far are new objects.

        Returns:
            probabilities of background and objects; in [0, 1], summing to 1.

        Raises:
            InputError: the first frame has no mask, sizes differ, or the mask's type is not integer.
        """
        self._check(frame, mask)
        self._frame_index += 1
        small = self._fit(frame)
        padding = padding_to_stride(small.shape[-2], small.shape[-1])
        padded = pad(small, padding)[None]
        self._remember_last()
        query = self.network.encode_query(padded) if len(self.bank) else None
        probs = small.new_ones(1, *small.shape[-2:]) if query is None else self._estimate(query, padding)
        full = _resize(probs, (frame.shape[-2], frame.shape[-1]))
        if mask is not None:
            mask = mask.to(frame.device)
            full = overwrite(full, mask)
            probs = overwrite(
                probs, _resize_labels(mask, (small.shape[-2], small.shape[-1])), num_objects=full.shape[0] - 1
            )
        # The masks are padded anew: in the border no object is, whatever the network saw there.
        self._last = _Frame(padded, pad(probs[1:], padding)[None], mask is not None, query)
        return full

    def _check(self, frame: Tensor, mask: Tensor | None) -> None:
        if mask is None and self._last is None:
            raise InputError("the first frame has no mask: give one to say which objects to follow")
        if mask is not None and mask.shape != frame.shape[-2:]:
            raise InputError(
                f"mask is {_size(mask)}, its frame {_size(frame)}: resize the mask (nearest neighbour) to the frame"
            )
        if mask is not None and (mask.is_floating_point() or mask.is_complex()):
            raise InputError(f"mask holds {mask.dtype}: give integer labels, 0 for background")

    def _fit(self, frame: Tensor) -> Tensor:
        """The frame at the network's size."""
        height, width = frame.shape[-2:]
        factor = 1.0 if self.short_side is None else self.short_side / min(height, width)
        factor = self.scale * (min(1.0, factor) if self.resize == "down" else factor)
        if factor == 1:
            return frame
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        return F.interpolate(frame[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]

    def _remember_last(self) -> None:
        """Memorise the frame before, now that something will read it (or it is to stay)."""
        if self._last is None:
            return
        keep = self.policy.keeps(self._frame_index - 1, self._last.mask_given)
        if keep or self.policy.reads_previous:
            memory = self.network.encode_memory(self._last.image, self._last.masks, query=self._last.query)
            self.bank.add(self._frame_index - 1, memory, keep=keep, pinned=self._last.mask_given)

    def _estimate(self, query: Query, padding: Padding) -> Float[Tensor, "K1 H W"]:
        readouts = [self.network.read(query, memory) for memory in self.bank.groups()]
        return unpad(self.network.decode(query, torch.cat(readouts)), padding).softmax(dim=1)[0]


def _resize(probs: Float[Tensor, "K1 h w"], size: tuple[int, int]) -> Float[Tensor, "K1 H W"]:
    if tuple(probs.shape[-2:]) == tuple(size):
        return probs
    return F.interpolate(probs[None], size=tuple(size), mode="bilinear", align_corners=False)[0]


def _resize_labels(labels: Integer[Tensor, "H W"], size: tuple[int, int]) -> Integer[Tensor, "h w"]:
    if tuple(labels.shape) == tuple(size):
        return labels
    return F.interpolate(labels[None, None].float(), size=tuple(size), mode="nearest-exact")[0, 0].to(labels.dtype)


def _size(x: Tensor) -> str:
    return f"{x.shape[-1]}x{x.shape[-2]}"
