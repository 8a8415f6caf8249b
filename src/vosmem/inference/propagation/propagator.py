"""Propagation: given masks of some frames, segment the objects in all frames that follow."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Integer, Shaped
from torch import Tensor

from vosmem.errors import InputError
from vosmem.inference.propagation.object_rows import ObjectRows
from vosmem.inference.propagation.tracing import Tracer
from vosmem.inference.propagation.video_memory import SegmentedView, VideoMemory
from vosmem.inference.propagation.view import View
from vosmem.inference.propagation.view_selector import ViewSelector
from vosmem.inference.propagation.window import Zoom
from vosmem.memory.bank import MemoryBank
from vosmem.memory.policy import MemoryPolicy
from vosmem.networks.network import MemoryNetwork
from vosmem.ops.aggregation import soft_aggregate
from vosmem.ops.locality import cells
from vosmem.ops.masks import on_device, overwrite
from vosmem.ops.variation import certainty
from vosmem.shapes import Prior, Query


class Propagator:
    """Segments a video in one pass, holding only the memory and the previous frame.

    `ObjectRows` maps object ids to rows, `ViewSelector` chooses the size and the window, `VideoMemory` memorises, reads
    and evicts, and an optional `Tracer` observes.

    Args:
        network: the network, in eval mode, on the device that does the work.
        policy: which frames stay in memory.
        short_side: larger frames are shrunk to this short side; 0 for never, None for the network's convention.
        enlarge_to: smaller frames are enlarged to this short side, but at most 4 times; 0 for never.
        scale: factor on the resulting size.
        zoom: window around the objects, enlarged to that size; None for whole frames.
        whole_masks: if true, a given mask is authoritative: its objects are set to background outside it.
        video: name of the video, which seeds random eviction.

    Attributes:
        tracer: observer of the steps; None by default.

    Raises:
        InputError: `short_side` is below 16, `enlarge_to` is above it, `scale` is not above 0, or the policy asks for a
            gate that the network does not have.

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
        enlarge_to: int = 0,
        scale: float = 1.0,
        zoom: Zoom | None = None,
        whole_masks: bool = False,
        video: str = "",
    ):
        self.network, self.whole_masks = network, whole_masks
        self.short_side = (network.conventions.short_side or 0) if short_side is None else short_side
        self.views = ViewSelector(self.short_side, enlarge_to, scale, zoom)
        self.memory = VideoMemory(network, policy, video)
        self.tracer: Tracer | None = None
        self._rows = ObjectRows()
        self._frame_index = -1
        self._last: SegmentedView | None = None
        self._last_is_memorised = False  # only if the step that followed it failed
        self._earlier: Float[Tensor, "1 K h w"] | None = None  # cells of the frame before the last

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the followed objects, in the order of the probabilities' rows after background."""
        return tuple(self._rows.ids)

    @property
    def bank(self) -> MemoryBank:
        """Keys and values of the frames in memory."""
        return self.memory.bank

    @property
    def num_kept(self) -> int:
        """Number of frames kept so far, evicted ones included."""
        return self.memory.num_kept

    @property
    def memory_frames(self) -> list[int]:
        """Indices of the frames that the current frame read."""
        return self.bank.frames

    @property
    def memory_bytes(self) -> int:
        """Bytes of the memory."""
        return self.bank.nbytes()

    @torch.inference_mode()
    def step(
        self,
        frame: Float[Tensor, "3 H W"],
        mask: Shaped[Tensor, "H_mask W_mask"] | None = None,
        objects: Sequence[int] | None = None,
        *,
        absent: Sequence[int] = (),
    ) -> Float[Tensor, "K1 H W"]:
        """Segment the next frame.

        Args:
            frame: RGB in [0, 1]; any size, but one size for the whole video.
            mask: labels 0..K, if the user gives a mask (required for the first frame). Pixels of its objects overwrite
                the estimate.
            objects: object ids of the labels 1, 2, ... of the mask; unknown ids are new objects. By default label k is
                object k.
            absent: ids of objects that the user marks as not visible in this frame; ids that are not followed are
                ignored. The objects are searched again in later frames.

        Returns:
            probabilities of background and `self.objects`; in [0, 1], summing to 1.

        Raises:
            InputError: the first frame has no mask, sizes differ, the mask is not an integer tensor, one of its labels
                has no object id, an id is repeated or below 1, or there are too many objects.
        """
        last = self._last
        _check_frame(frame, mask, None if last is None else last.view.frame)
        given = None if mask is None else on_device(self._rows.assign(mask, objects), frame.device)
        absent_rows = self._rows.of(absent)
        if given is None and absent_rows:
            given = torch.zeros(frame.shape[-2:], dtype=torch.long, device=frame.device)

        # Memorise the previous frame, with its own objects. Waiting until now saves the work if no frame follows.
        if last is not None and not self._last_is_memorised:
            self.memory.memorise(last, self.objects[: last.masks.shape[1]], self.tracer)
            self._last_is_memorised = True
        # Encode.
        view, previous, earlier = self._select_view(frame, given)
        image = view.image(frame, self.network.border)
        query = self._encode(image, previous, earlier)
        reading = query if len(self.bank) else None
        if self.tracer is not None:
            self.tracer.on_read(reading, view)
        if reading is None:
            logits, probs = None, view.background(image)
        else:  # Read and decode.
            readout = self.memory.read(reading)
            logits = self.network.decode(reading, readout)
            probs = view.without_border(logits).softmax(dim=1)[0]
        full = view.back(probs)
        if given is not None:
            full = self._overwrite(full, given, absent_rows)
            probs = self._overwrite(probs, view.labels(given), absent_rows)
        # Only now, so that a step that ran out of memory can be repeated.
        segmented = self._segmented(view, image, probs, logits, query, given is not None)
        self.views.update(full, len(self.objects))
        self._frame_index, self._last_is_memorised = segmented.frame_index, False
        self._last, self._earlier = segmented, previous
        return full

    def remove(self, object_id: int) -> None:
        """Stop following an object and free its memory; the other objects are unaffected.

        A later mask can use the id again, for a new object.

        Raises:
            InputError: the id is not followed.
        """
        index = self._rows.remove(object_id)
        self.bank.remove(index)
        assert self._last is not None  # every followed object was in a mask
        masks, cells_ = _without(self._last.masks, index), _without(self._last.cells, index)
        self._last = self._last._replace(masks=masks, cells=cells_)
        self._earlier = None if self._earlier is None else _without(self._earlier, index)

    def state_dict(self) -> dict[str, Any]:
        """Return what the next frames depend on, as plain values and tensors, which are not copies.

        A propagator of equal network, policy and options that loads it continues with equal results.
        """
        return {
            "rows": self._rows.state_dict(),
            "views": self.views.state_dict(),
            "memory": self.memory.state_dict(),
            "frame_index": self._frame_index,
            "last": None if self._last is None else self._last.state_dict(),
            "earlier": self._earlier,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue after the frame of a state, whose tensors are moved to the network's device."""
        state = moved(state, next(self.network.parameters()).device)
        self._rows.load_state_dict(state["rows"])
        self.views.load_state_dict(state["views"])
        self.memory.load_state_dict(state["memory"])
        self._frame_index, self._earlier = state["frame_index"], state["earlier"]
        self._last_is_memorised = False
        self._last = None if state["last"] is None else SegmentedView.of_state(state["last"])

    def _select_view(
        self, frame: Float[Tensor, "3 H W"], given: Integer[Tensor, "H W"] | None
    ) -> tuple[View, Float[Tensor, "1 K h w"] | None, Float[Tensor, "1 Kbefore h w"] | None]:
        """Select the view of the frame; return the masks of the two previous frames on its cells, too."""
        last, (height, width) = self._last, frame.shape[-2:]
        view = self.views.select((height, width), given, len(self.objects), None if last is None else last.view)
        if last is None:
            return view, None, None
        earlier = None if self._earlier is None else view.resample(self._earlier, last.view)
        return view, view.resample(last.cells, last.view), earlier

    def _encode(
        self,
        image: Float[Tensor, "1 3 H2 W2"],
        previous: Float[Tensor, "1 K h w"] | None,
        earlier: Float[Tensor, "1 Kbefore h w"] | None,
    ) -> Query | None:
        """Encode a frame if the memory or the policy needs its key."""
        if not len(self.bank):
            return self.network.encode_query(image) if self.memory.policy.needs_keys else None
        assert previous is not None  # of the frame that was memorised
        if earlier is not None:  # new objects of the last frame have no masks in the one before it
            missing = previous.shape[1] - earlier.shape[1]
            earlier = torch.cat([earlier, earlier.new_zeros(1, missing, *earlier.shape[2:])], dim=1)
        return self.network.encode_query(image, Prior(previous, None, earlier))

    def _overwrite(
        self, probs: Float[Tensor, "K1 h w"], given: Integer[Tensor, "h w"], absent_rows: Sequence[int]
    ) -> Float[Tensor, "K1new h w"]:
        """Replace the estimate by the mask that the user gives."""
        probs = overwrite(probs, given, len(self.objects), self.whole_masks, absent_rows)
        if not self.network.conventions.aggregate_given:
            return probs
        return soft_aggregate(probs[None, 1:]).softmax(dim=1)[0].to(probs.dtype)

    def _segmented(
        self,
        view: View,
        image: Float[Tensor, "1 3 H2 W2"],
        probs: Float[Tensor, "K1 h w"],
        logits: Float[Tensor, "1 K1known H2 W2"] | None,
        query: Query | None,
        mask_given: bool,
    ) -> SegmentedView:
        border = logits.softmax(dim=1)[0] if logits is not None and self.network.conventions.border_masks else None
        masks = view.masks(probs, border)
        key = query.key[0] if query is not None and self.memory.policy.needs_keys else None
        query = query if self.network.memorizes_queries else None
        return SegmentedView(
            self._frame_index + 1, view, image, masks, cells(masks), certainty(probs), mask_given, key, query
        )


def _check_frame(frame: Tensor, mask: Tensor | None, last_size: tuple[int, int] | None) -> None:
    """Check the size and type of a frame (3, H, W) and its mask; `last_size` is None for the first frame."""
    size, mask_size = (f"{x.shape[-1]}x{x.shape[-2]}" if x is not None else "" for x in (frame, mask))
    if last_size is not None and last_size != frame.shape[-2:]:
        raise InputError(f"frame is {size}, the one before it {last_size[1]}x{last_size[0]}: give frames of one size")
    if mask is None and last_size is None:
        raise InputError("the first frame has no mask: give a mask of the objects to follow")
    if mask is not None and mask.shape != frame.shape[-2:]:
        raise InputError(f"mask is {mask_size}, its frame {size}: resize the mask (nearest neighbour) to the frame")
    if mask is not None and (mask.is_floating_point() or mask.is_complex()):
        raise InputError(f"mask holds {mask.dtype}: give integer labels, 0 for background")


def moved(value: Any, device: torch.device) -> Any:
    """Move all tensors in nested dicts, lists and tuples to a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {name: moved(inner, device) for name, inner in value.items()}
    return type(value)(moved(inner, device) for inner in value) if isinstance(value, list | tuple) else value


def _without(masks: Float[Tensor, "1 K *S"], index: int) -> Float[Tensor, "1 Kless *S"]:
    return torch.cat([masks[:, :index], masks[:, index + 1 :]], dim=1)
