"""Propagation: given masks for some frames, find the objects in all frames that follow."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, Integer, Shaped
from torch import Tensor

from vosmem.errors import InputError
from vosmem.inference.propagation.attention_maps import AttentionQuery
from vosmem.inference.propagation.checks import check_frame, check_ids
from vosmem.inference.propagation.view import View
from vosmem.inference.propagation.window import ObjectBoxes, Window, Zoom, object_boxes
from vosmem.memory.policy import Candidate, MemoryPolicy
from vosmem.networks.network import MemoryNetwork, frame_shares
from vosmem.ops.aggregation import soft_aggregate
from vosmem.ops.locality import cells, union
from vosmem.ops.masks import overwrite
from vosmem.ops.novelty import describe
from vosmem.ops.variation import certainty
from vosmem.shapes import Prior, Query


class _Frame(NamedTuple):
    """A frame as the network saw it, in case that it is to be memorised."""

    view: View
    image: Float[Tensor, "1 3 H2 W2"]
    masks: Float[Tensor, "1 K H2 W2"]
    cells: Float[Tensor, "1 K h w"]
    certainty: Float[Tensor, ""]
    mask_given: bool
    key: Float[Tensor, "Ck h w"] | None
    query: Query | None


class Propagator:
    """Segments a video in one pass, holding only the memory and the last frame.

    Args:
        network: the network, in eval mode, on the device where the work is to be done.
        policy: which frames stay in memory.
        short_side: the frames' short side for the network; 0 keeps their size, None as the network was made (most keep
            their size).
        resize: `down` shrinks frames that are larger than `short_side`, `always` enlarges smaller ones too.
        scale: factor of the size that this gives.
        zoom: looks at a window around the objects, enlarged to that size; None at whole frames.
        whole_masks: whether an object is nowhere but in its mask where one is given, so that masks can take away, too.
        video: name of the video, on which the draws of random eviction depend.

    Attributes:
        reads_previous: whether the frame before is read, even if it is not kept.
        num_kept: frames that were kept so far, those that went again among them.
        asked: how the current frame asked the memory; None where it asked nothing.

    Raises:
        InputError: `short_side` is below 16, `resize` unknown, or `scale` not above 0, or the policy asks for a
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
        resize: str = "down",
        scale: float = 1.0,
        zoom: Zoom | None = None,
        whole_masks: bool = False,
        video: str = "",
    ):
        if short_side is None:
            short_side = network.conventions.short_side or 0
        if short_side and short_side < 16:
            raise InputError(
                f"short side {short_side} is too small: use 16 pixels or more, or 0 for the frames' own size"
            )
        if resize not in ("down", "always"):
            raise InputError(f"resize={resize!r} is unknown: use down or always")
        if scale <= 0:
            raise InputError(f"scale {scale} is not possible: use a factor above 0, such as 1.0")
        if policy.gated and network.gate is None:
            raise InputError(
                "this network has no gate to say how many frames stay: use memory=every_n or memory=adaptive, or train "
                "one with phase=gate"
            )
        self.network, self.policy = network, policy
        reads_previous = policy.reads_previous
        self.reads_previous = network.conventions.include_last if reads_previous is None else reads_previous
        self.short_side, self.resize, self.scale = short_side, resize, scale
        self.zoom, self.whole_masks = zoom, whole_masks
        self.bank = policy.make_bank(video)
        self._frame_index = -1
        self._last: _Frame | None = None
        self._sight: ObjectBoxes | None = None  # where the objects were in the last frame
        self.asked: AttentionQuery | None = None
        self._kept: Candidate | None = None  # the frame that was kept last
        self.num_kept = 0
        self._earlier: Float[Tensor, "1 K h w"] | None = None  # masks of the frame before the last
        self._objects: list[int] = []
        self._highest_id = 0

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the objects that are followed, in the order of the rows after background."""
        return tuple(self._objects)

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
        self,
        frame: Float[Tensor, "3 H W"],
        mask: Shaped[Tensor, "H_mask W_mask"] | None = None,
        objects: Sequence[int] | None = None,
        *,
        absent: Sequence[int] = (),
    ) -> Float[Tensor, "K1 H W"]:
        """Segment the next frame.

        Args:
            frame: RGB in [0, 1], any size, the same for the whole video.
            mask: labels 0..K where the user gives them (always for the first frame). Its objects' pixels overwrite
                the estimate; labels above the highest known so far are new objects.
            objects: ids of the labels 1, 2, ... of this mask, in this order; those that are not known yet are new
                objects. By default label k is object k.
            absent: ids of objects that the user says are nowhere in this frame; those that are not followed are passed
                over. They go on being looked for in the frames that come.

        Returns:
            probabilities of background and `self.objects`; in [0, 1], summing to 1.

        Raises:
            InputError: the first frame has no mask, sizes differ, the mask's type is not integer, it holds a label
                that `objects` has no id for, an id stands there twice or is below 1, or there are too many.
        """
        check_frame(frame, mask, None if self._last is None else self._last.view.frame)
        if mask is not None:
            mask = self._rows(mask.to(frame.device), objects)
        nowhere = [self._objects.index(object_id) + 1 for object_id in absent if object_id in self._objects]
        if mask is None and nowhere:
            mask = torch.zeros(frame.shape[-2:], dtype=torch.long, device=frame.device)
        self._frame_index += 1
        self._remember_last()
        view = self._look(frame, mask)
        picture = view.picture(frame, self.network.border)
        query = self._encode(picture)
        self.asked = AttentionQuery.of(query, view) if query is not None and len(self.bank) else None
        logits = self._estimate(query) if query is not None and len(self.bank) else None
        probs = view.nothing(picture) if logits is None else view.without_border(logits).softmax(dim=1)[0]
        full = view.back(probs)
        if mask is not None:
            told = (len(self._objects), self.whole_masks, nowhere)
            full, probs = overwrite(full, mask, *told), overwrite(probs, view.labels(mask), *told)
            if self.network.conventions.aggregate_given:
                full, probs = _aggregated(full), _aggregated(probs)
        if self.zoom is not None:
            self._sight = object_boxes(full.argmax(dim=0), len(self._objects))
        key = query.key[0] if query is not None and self.policy.needs_keys else None
        kept = query if self.network.memorizes_queries else None  # its features would take more than the memory
        bordered = logits if self.network.conventions.border_masks else None
        masks = view.masks(probs, None if bordered is None else bordered.softmax(dim=1)[0])
        self._earlier = None if self._last is None else self._last.cells
        self._last = _Frame(view, picture, masks, cells(masks), certainty(probs), mask is not None, key, kept)
        return full

    def remove(self, object_id: int) -> None:
        """Follow an object no longer and free what is remembered of it; the other objects go on.

        Its id can come back with a later mask, as a new object.

        Raises:
            InputError: the id is not followed.
        """
        if object_id not in self._objects:
            raise InputError(f"object {object_id} is not followed: the objects are {list(self._objects)}")
        row = self._objects.index(object_id)
        self.bank.remove(row)
        assert self._last is not None  # it has been in a mask
        self._last = self._last._replace(masks=_without(self._last.masks, row), cells=_without(self._last.cells, row))
        self._earlier = None if self._earlier is None else _without(self._earlier, row)
        del self._objects[row]

    def _rows(self, mask: Integer[Tensor, "H W"], objects: Sequence[int] | None) -> Int64[Tensor, "H W"]:
        """Labels of the mask as rows of the probabilities; objects that are new get theirs."""
        present = torch.unique(mask).tolist()
        if objects is None:
            objects = range(1, max(present) + 1)
            # An empty label below a new one is an object that is not seen yet, unless it was removed.
            new = [k for k in objects if k not in self._objects and (k > self._highest_id or k in present)]
        else:
            new = [object_id for object_id in objects if object_id not in self._objects]
        check_ids(present, objects, len(self._objects) + len(new))
        self._objects += new
        self._highest_id = max([self._highest_id, *new])
        rows = [0, *(self._objects.index(k) + 1 if k in self._objects else 0 for k in objects)]
        return torch.tensor(rows, device=mask.device)[mask.long()]

    def _look(self, frame: Float[Tensor, "3 H W"], mask: Integer[Tensor, "H W"] | None) -> View:
        """What the network is to see of the frame; where the objects were is told anew on its cells."""
        height, width = frame.shape[-2:]
        factor = self.short_side / min(height, width) if self.short_side else 1.0
        factor = self.scale * (min(1.0, factor) if self.resize == "down" else factor)
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        view = View.of(self._window((height, width), mask), (height, width), size)
        last = self._last
        if last is not None:
            self._last = last._replace(cells=view.take_over(last.cells, last.view))
            self._earlier = None if self._earlier is None else view.take_over(self._earlier, last.view)
        return view

    def _window(self, frame: tuple[int, int], mask: Integer[Tensor, "H W"] | None) -> Window:
        if self.zoom is None:
            return Window(0, 0, *frame)
        last = None if self._last is None else self._last.view.window
        seen = self._sight
        if mask is not None:
            given = object_boxes(mask, len(self._objects), least=1)  # what the user shows has to be seen
            seen = given if seen is None else given.joined(seen)
        assert seen is not None  # the first frame has a mask
        return self.zoom.window(seen, last, frame)

    def _remember_last(self) -> None:
        """Memorise the frame before, now that something will read it (or it is to stay)."""
        last = self._last
        if last is None or not last.masks.shape[1]:
            return
        objects = self.objects[: last.masks.shape[1]]  # those that come with this frame were not in the one before
        candidate = Candidate(self._frame_index - 1, last.mask_given, objects, last.cells[0], last.certainty, last.key)
        keep = self.policy.keeps(candidate, self._kept)
        if keep:
            self._kept, self.num_kept = candidate, self.num_kept + 1
        if keep or self.reads_previous:
            memory = self.network.encode_memory(last.image, last.masks, query=last.query)
            descriptor = None if last.key is None else describe(last.key[None], union(last.cells))[0]
            self.bank.add(candidate.t, memory, keep=keep, pinned=last.mask_given, descriptor=descriptor)
        if keep and self.policy.gated:
            self._let_go()

    def _let_go(self) -> None:
        """Ask the gate how many of the remembered frames are worth their room, and let the others go."""
        ranking = self.bank.ranking()
        if self.network.gate is not None and len(ranking.frames) > ranking.num_fixed:
            stay = self.network.gate(ranking.novelty, ranking.usage, ranking.age, ranking.num_fixed)
            self.bank.evict_to(round(float(stay)))

    def _encode(self, padded: Float[Tensor, "1 3 H2 W2"]) -> Query | None:
        """The frame as a query, where something is asked of it."""
        if len(self.bank):
            return self.network.encode_query(padded, self._prior())
        return self.network.encode_query(padded) if self.policy.needs_keys else None

    def _prior(self) -> Prior:
        """Where the objects were; those that have just come were nowhere before."""
        assert self._last is not None  # the bank holds something
        earlier = self._earlier
        if earlier is not None:
            missing = self._last.cells.shape[1] - earlier.shape[1]
            earlier = torch.cat([earlier, earlier.new_zeros(1, missing, *earlier.shape[2:])], dim=1)
        return Prior(self._last.cells, None, earlier)

    def _estimate(self, query: Query) -> Float[Tensor, "1 K1 H2 W2"]:
        readouts = [self.network.read(query, memory) for memory in self.bank.groups()]
        if self.policy.tracks_usage:
            shares = (frame_shares(self.network, query, memory) for memory in self.bank.groups())
            self.bank.record_usage([of_objects.mean(dim=0) for of_objects in shares])
        return self.network.decode(query, torch.cat(readouts))


def _aggregated(probs: Float[Tensor, "K1 H W"]) -> Float[Tensor, "K1 H W"]:
    return soft_aggregate(probs[None, 1:]).softmax(dim=1)[0].to(probs.dtype)


def _without(masks: Float[Tensor, "1 K *S"], row: int) -> Float[Tensor, "1 Kless *S"]:
    return torch.cat([masks[:, :row], masks[:, row + 1 :]], dim=1)
