"""Confidence of a network in each object, and the frames of a video that a person should check."""

import math
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

# Chosen by eye on a few videos; they only select what is listed for a check.
LOST_AREA = 0.01  # share of the area in the first given mask below which an object counts as lost
LOST_PROBABILITY = 0.6  # mean probability inside its mask below which an object counts as lost
JUMP_FACTOR = 1.6  # by which an area grows or shrinks from one frame to the next
JUMP_AREA = 0.05  # share of the first given area below which jumps are ignored
NUM_UNCERTAIN = 6  # largest number of frames of an object listed for their entropy
NUM_CHECKS = 40  # largest number of frames listed in all


class ObjectConfidence(NamedTuple):
    """One object in one frame."""

    t: int  # frame index
    slot: int  # slot of the object
    area: int  # number of pixels of its mask
    mean_probability: float | None  # its mean probability inside its mask; None without a mask
    entropy: float  # of the object against all else in bits (0 to 1), weighted by its probability
    lost: bool  # whether its mask is (nearly) empty or its probability low
    jump: bool  # whether its area changed suddenly; false where a mask was given


class ConfidenceRows(Collection[ObjectConfidence]):
    """The rows of a video in 56 bytes each, since videos may be long."""

    def __init__(self) -> None:
        self._numbers = array("d")  # integers up to 2**53 are exact

    def extend(self, rows: Iterable[ObjectConfidence]) -> None:
        """Append rows."""
        for row in rows:
            self._numbers.extend(math.nan if value is None else value for value in row)

    def state_dict(self) -> dict[str, Any]:
        """Return all rows as a tensor."""
        return {"numbers": torch.from_numpy(np.array(self._numbers))}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the rows by those of a state."""
        self._numbers = array("d", state["numbers"].tolist())

    def __len__(self) -> int:
        return len(self._numbers) // len(ObjectConfidence._fields)

    def __contains__(self, row: object) -> bool:
        return any(own == row for own in self)

    def __iter__(self) -> Iterator[ObjectConfidence]:
        width = len(ObjectConfidence._fields)
        for start in range(0, len(self._numbers), width):
            t, slot, area, mean, entropy, lost, jump = self._numbers[start : start + width]
            known = None if math.isnan(mean) else mean
            yield ObjectConfidence(int(t), int(slot), int(area), known, entropy, bool(lost), bool(jump))


class Check(NamedTuple):
    """A frame to check, because an object is `lost`, has a `jump` or is `uncertain` (entropy in bits)."""

    t: int
    slot: int
    reason: str
    entropy: float


class ConfidenceTracker:
    """Measures the confidence in each object; `first_areas` are the pixels of the first given mask of each slot."""

    def __init__(self, first_areas: Mapping[int, int]):
        self.first_areas = first_areas
        self._areas: dict[int, int] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the areas in the last frame."""
        return {"areas": dict(self._areas)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue after the frame of a state."""
        self._areas = dict(state["areas"])

    def update(
        self, t: int, probs: Float[Tensor, "K1 H W"], labels: UInt8[Tensor, "H W"], followed: Mapping[int, bool]
    ) -> list[ObjectConfidence]:
        """Measure the next frame; `followed` are its slots, each with whether its mask was given in this frame."""
        labels = labels.to(probs.device, non_blocking=True)
        rows = []
        measured = _measure([(probs[slot].float(), labels == slot) for slot in followed])
        for (slot, given), (area, mean, entropy) in zip(followed.items(), measured, strict=True):
            first = self.first_areas[slot]
            lost = mean is None or area < LOST_AREA * first or mean < LOST_PROBABILITY
            smaller, larger = sorted((self._areas.get(slot, area), area))
            jump = not given and larger > max(JUMP_AREA * first, JUMP_FACTOR * smaller)
            rows.append(ObjectConfidence(t, slot, area, mean, entropy, lost, jump))
            self._areas[slot] = area
        return rows


def _measure(
    objects: Sequence[tuple[Float[Tensor, "H W"], Bool[Tensor, "H W"]]],
) -> list[tuple[int, float | None, float]]:
    """Return area, mean probability and entropy of each object; the device is asked once for all."""
    if not objects:
        return []
    areas = torch.stack([inside.sum() for _, inside in objects])
    sums = torch.stack([torch.stack([(probs * inside).sum(), _entropy(probs)]) for probs, inside in objects])
    found = zip(areas.tolist(), sums.tolist(), strict=True)
    return [(area, total / area if area else None, entropy) for area, (total, entropy) in found]


def _entropy(probs: Float[Tensor, "H W"]) -> Float[Tensor, ""]:
    bits = (torch.special.entr(probs) + torch.special.entr(1 - probs)) / math.log(2)
    return (probs * bits).sum() / probs.sum().clamp(min=1e-12)


def frames_to_check(rows: Iterable[ObjectConfidence]) -> list[Check]:
    """Select the frames where an object is lost, its area jumps, or the network is least certain.

    Frames of one object that are selected for their entropy are apart from each other, and have no given mask (its
    entropy is 0). Above `NUM_CHECKS` the uncertain frames go first, then those of the lowest entropy.
    """
    ordered = sorted(rows, key=lambda row: (row.slot, row.t))
    checks = [check for _, own in groupby(ordered, key=lambda row: row.slot) for check in _events(own)]
    listed = {(check.t, check.slot) for check in checks}
    rest = [row for row in ordered if row.entropy > 0 and not row.lost and (row.t, row.slot) not in listed]
    checks += [Check(row.t, row.slot, "uncertain", row.entropy) for row in _most_uncertain(rest)]
    return sorted(sorted(checks, key=lambda check: (check.reason == "uncertain", -check.entropy))[:NUM_CHECKS])


def _events(rows: Iterable[ObjectConfidence]) -> Iterator[Check]:
    """Yield where one object gets lost or jumps; not where the user marks it as not visible, with entropy 0."""
    lost = False
    for row in rows:
        if row.lost and not lost and row.entropy > 0:
            yield Check(row.t, row.slot, "lost", row.entropy)
        elif row.jump:
            yield Check(row.t, row.slot, "jump", row.entropy)
        lost = row.lost


def _most_uncertain(rows: Sequence[ObjectConfidence]) -> list[ObjectConfidence]:
    """Select the rows of the highest entropy whose frames are apart."""
    distance = max(2, len({row.t for row in rows}) // (2 * NUM_UNCERTAIN))
    selected: list[ObjectConfidence] = []
    for row in sorted(rows, key=lambda row: -row.entropy):
        if len(selected) < NUM_UNCERTAIN and all(abs(row.t - other.t) >= distance for other in selected):
            selected.append(row)
    return selected
