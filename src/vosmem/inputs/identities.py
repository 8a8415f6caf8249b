"""Which object each annotation of a COCO file belongs to."""

from collections.abc import Mapping, Sequence
from typing import Any

from vosmem.data.decoding.notes import Decision, Note
from vosmem.inputs.wording import counted, listed

KEYS = ("track_id", "instance_id", "object_id", "tracking_id")


def identities(entries: Sequence[Mapping[str, Any]], file: str) -> tuple[list[int], list[Note]]:
    """The id of every annotation, 0 for those that are to be numbered within their picture, and notes.

    The first of `KEYS` that an annotation has, by itself or below `attributes`, is its identity. Numbers are ids;
    names are numbered as they come. Annotations without an identity become objects of their own, if others have one.

    Args:
        entries: the annotations.
        file: the name of their file, for notes.

    Example:
        >>> identities([{"attributes": {"track_id": "3"}}, {"attributes": {"track_id": 7}}], "a.json")
        ([3, 7], [])
    """
    found = [(key, [_identity(entry, key) for entry in entries]) for key in KEYS]
    key, values = max(found, key=lambda pair: sum(value is not None for value in pair[1]))
    known = [value for value in values if value is not None]
    if not known:
        several = len({str(entry["image_id"]) for entry in entries}) > 1
        return [0] * len(entries), [Decision.OBJECTS_NUMBERED.note()] if several else []
    notes = []
    numbers = [value for value in known if isinstance(value, int)]
    number_of: dict[int | str, int]
    if len(numbers) == len(known):
        shift = 1 if min(numbers) == 0 else 0
        number_of = {number: number + shift for number in numbers}
        if shift:
            notes.append(Decision.IDS_FROM_ZERO.note(key=key))
    else:
        number_of = {value: number for number, value in enumerate(dict.fromkeys(known), start=1)}
        names = [f"{value!r} is object {number}" for value, number in number_of.items()]
        notes.append(Decision.OBJECTS_NAMED.note(key=key, names=listed(names)))
    ids, free = [], max(number_of.values()) + 1
    for value in values:
        ids.append(free if value is None else number_of[value])
        free += value is None
    if len(known) < len(values):
        entries_said = counted(len(values) - len(known), "annotation")
        notes.append(Decision.SOME_WITHOUT_ID.note(entries=entries_said, key=key, file=file))
    return ids, notes


def _identity(entry: Mapping[str, Any], key: str) -> int | str | None:
    """The identity under a key; digits in a string are a number."""
    inner = entry.get("attributes")
    value = entry.get(key)
    if value is None and isinstance(inner, Mapping):
        value = inner.get(key)
    if isinstance(value, bool) or value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    text = str(value).strip()
    return int(text) if isinstance(value, int) or (text.isascii() and text.isdigit()) else text
