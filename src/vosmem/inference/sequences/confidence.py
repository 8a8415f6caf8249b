"""How sure a network is of each object, and which frames of a video a person should look at."""

import math
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

# Chosen by eye on a few videos; they mark what to look at, and nothing else depends on them.
LOST_AREA = 0.01  # of the area in its first given mask: with less, an object counts as lost
LOST_PROBABILITY = 0.6  # mean inside its mask: with less, it counts as lost
JUMP_FACTOR = 1.6  # by which an area grows or shrinks from one frame to the next
JUMP_AREA = 0.05  # of the first given area: what stays below it may jump unmarked
NUM_UNCERTAIN = 6  # frames that are listed for their entropy
NUM_CHECKS = 40  # frames that are listed at all


class ObjectConfidence(NamedTuple):
    """One object in one frame.

    Attributes:
        t: the frame's place.
        slot: the object's.
        area: pixels of its mask.
        mean_probability: its probability inside its mask, on average; None without a mask.
        entropy: of the object against all else, in bits (0 sure, 1 torn); averaged over the pixels, weighted by its
            probability.
        lost: whether its mask is (nearly) empty or its probability low.
        jump: whether its area changed suddenly since the frame before; not where a mask was given.
    """

    t: int
    slot: int
    area: int
    mean_probability: float | None
    entropy: float
    lost: bool
    jump: bool


class ConfidenceRows(Collection[ObjectConfidence]):
    """The rows of a video in 56 bytes each, since videos may be long."""

    def __init__(self) -> None:
        self._numbers = array("d")  # whole ones up to 2**53 are exact

    def extend(self, rows: Iterable[ObjectConfidence]) -> None:
        """Append rows."""
        for row in rows:
            self._numbers.extend(math.nan if value is None else value for value in row)

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
    """A frame to look at.

    Attributes:
        t: its place.
        slot: the object that it is about.
        reason: `lost`, `jump` or `uncertain`.
        entropy: of the object there, in bits.
    """

    t: int
    slot: int
    reason: str
    entropy: float


class ConfidenceTracker:
    """Tells frame by frame how sure the network is of each object.

    Args:
        first_areas: for each slot, the pixels of its first given mask.
    """

    def __init__(self, first_areas: Mapping[int, int]):
        self.first_areas = first_areas
        self._areas: dict[int, int] = {}

    def update(
        self, t: int, probs: Float[Tensor, "K1 H W"], labels: UInt8[Tensor, "H W"], followed: Mapping[int, bool]
    ) -> list[ObjectConfidence]:
        """Look at the next frame.

        Args:
            t: its place.
            probs: of background and objects.
            labels: slots 0..K.
            followed: the slots that are followed there, and whether their mask was given in this frame.
        """
        labels = labels.to(probs.device)
        rows = []
        for slot, given in followed.items():
            area, mean, entropy = _measure(probs[slot].float(), labels == slot)
            first = self.first_areas[slot]
            lost = mean is None or area < LOST_AREA * first or mean < LOST_PROBABILITY
            before = self._areas.get(slot)
            jump = not given and before is not None and max(before, area) > JUMP_AREA * first
            jump = jump and max(before or 0, area) > JUMP_FACTOR * min(before or 0, area)
            rows.append(ObjectConfidence(t, slot, area, mean, entropy, lost, jump))
            self._areas[slot] = area
        return rows


def _measure(probs: Float[Tensor, "H W"], inside: Tensor) -> tuple[int, float | None, float]:
    """Area, mean probability and entropy of an object."""
    bits = (torch.special.entr(probs) + torch.special.entr(1 - probs)) / math.log(2)
    area = int(inside.sum())
    mean = float((probs * inside).sum()) / area if area else None
    entropy = float((probs * bits).sum() / probs.sum().clamp(min=1e-12))
    return area, mean, entropy


def frames_to_check(rows: Iterable[ObjectConfidence]) -> list[Check]:
    """The frames where an object gets lost, where its area jumps, and where the network is least sure.

    No two frames of one object that stand close together are listed for their entropy, nor any with a given mask, which
    has none. Where more than `NUM_CHECKS` would be listed, those of the highest entropy are.

    Args:
        rows: of a whole video, in any order.

    Returns:
        ordered by frame.
    """
    ordered = sorted(rows, key=lambda row: (row.slot, row.t))
    checks = []
    for _, group in groupby(ordered, key=lambda row: row.slot):
        checks += _events(list(group))
    listed = {(check.t, check.slot) for check in checks}
    calm = [row for row in ordered if row.entropy > 0 and not row.lost and (row.t, row.slot) not in listed]
    checks += [Check(row.t, row.slot, "uncertain", row.entropy) for row in _worst(calm)]
    kept = sorted(checks, key=lambda check: (check.reason == "uncertain", -check.entropy))[:NUM_CHECKS]
    return sorted(kept)


def _events(rows: Sequence[ObjectConfidence]) -> list[Check]:
    """Where one object gets lost, or else jumps; not where the user says that it is gone."""
    checks, lost = [], False
    for row in rows:
        if row.lost and not lost and row.entropy > 0:
            checks.append(Check(row.t, row.slot, "lost", row.entropy))
        elif row.jump:
            checks.append(Check(row.t, row.slot, "jump", row.entropy))
        lost = row.lost
    return checks


def _worst(rows: Sequence[ObjectConfidence]) -> list[ObjectConfidence]:
    """Those of the highest entropy, apart from each other."""
    distance = max(2, len({row.t for row in rows}) // (2 * NUM_UNCERTAIN))
    worst: list[ObjectConfidence] = []
    for row in sorted(rows, key=lambda row: -row.entropy):
        if len(worst) < NUM_UNCERTAIN and all(abs(row.t - other.t) >= distance for other in worst):
            worst.append(row)
    return worst
