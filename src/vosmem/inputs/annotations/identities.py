"""Object ids of the shapes of annotation files."""

from collections import Counter
from collections.abc import Hashable, Sequence

from vosmem.data.decoding.mask_files import LARGEST_ID
from vosmem.data.decoding.notes import Decision, Note
from vosmem.inputs.annotations.shapes import Shape
from vosmem.inputs.wording import counted, listed


def object_ids(shapes: Sequence[Shape], key: str, noun: str, file: str) -> tuple[list[int], list[Note]]:
    """The object id of each shape, and notes on how it was found.

    Tracks that are numbers are ids; names get the lowest free ids in their order. Shapes without a track become
    objects of their own if others have one. Without any track, each label is an object if no frame has it twice;
    otherwise the shapes of each frame are numbered in their order.

    Args:
        shapes: of all frames.
        key: name of the tracks in the file.
        noun: for a shape in messages.
        file: name of the file in messages.

    Raises:
        ValueError: an id is larger than a mask can hold.

    Example:
        >>> one, two = Shape("0", None, None, track=7), Shape("0", None, None, track="cat")
        >>> object_ids([two, one, two], "track_id", "annotation", "a.json")[0]
        [1, 7, 1]
    """
    tracks: list[Hashable | None] = [shape.track for shape in shapes]
    notes: list[Note] = []
    if not any(track is not None for track in tracks):
        return _without_tracks(shapes)
    shared = _shared_tracks(shapes)
    if shared:
        notes.append(Decision.TRACKS_SHARED.note(key=key, tracks=listed([str(track) for track in shared])))
        tracks = [f"{one.track} ({one.label})" if one.track in shared else one.track for one in shapes]
    ids, named = _number(tracks, key)
    notes += named
    missing = sum(track is None for track in tracks)
    if missing:
        notes.append(Decision.SOME_WITHOUT_ID.note(entries=counted(missing, noun), key=key, file=file))
    return _checked(ids), notes


def _number(tracks: Sequence[Hashable | None], key: str) -> tuple[list[int], list[Note]]:
    notes = []
    known = dict.fromkeys(track for track in tracks if track is not None)
    numbers = [track for track in known if isinstance(track, int)]
    shift = 1 if numbers and min(numbers) == 0 else 0
    id_of: dict[Hashable, int] = {number: number + shift for number in numbers}
    if shift:
        notes.append(Decision.IDS_FROM_ZERO.note(key=key))
    taken, free = set(id_of.values()), 1
    for track in known:
        if track not in id_of:
            while free in taken:
                free += 1
            id_of[track], free = free, free + 1
    names = [f"{track!r} is object {id_of[track]}" for track in known if not isinstance(track, int)]
    if names:
        notes.append(Decision.OBJECTS_NAMED.note(key=key, names=listed(names)))
    ids, following = [], max(id_of.values()) + 1
    for track in tracks:
        ids.append(following if track is None else id_of[track])
        following += track is None
    return ids, notes


def _without_tracks(shapes: Sequence[Shape]) -> tuple[list[int], list[Note]]:
    several = len({shape.frame for shape in shapes}) > 1
    counts = Counter((shape.frame, shape.label) for shape in shapes)
    if several and all(shape.label is not None for shape in shapes) and max(counts.values(), default=0) == 1:
        labels = {label: number for number, label in enumerate(dict.fromkeys(one.label for one in shapes), start=1)}
        names = [f"{label!r} is object {number}" for label, number in labels.items()]
        return [labels[one.label] for one in shapes], [Decision.OBJECTS_BY_LABEL.note(names=listed(names))]
    seen: Counter[str | int] = Counter()
    ids = []
    for shape in shapes:
        seen[shape.frame] += 1
        ids.append(seen[shape.frame])
    return ids, [Decision.OBJECTS_NUMBERED.note()] if several else []


def _shared_tracks(shapes: Sequence[Shape]) -> list[int | str]:
    """The tracks that two shapes of one frame have under different labels."""
    labels: dict[tuple[str | int, int | str], set[str | None]] = {}
    for shape in shapes:
        if shape.track is not None:
            labels.setdefault((shape.frame, shape.track), set()).add(shape.label)
    return list(dict.fromkeys(track for (_, track), own in labels.items() if len(own) > 1))


def _checked(ids: list[int]) -> list[int]:
    if max(ids, default=1) > LARGEST_ID:
        raise ValueError(f"id {max(ids)} is above {LARGEST_ID}")
    return ids
