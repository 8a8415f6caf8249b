"""Model cards: what each weights file is, what it was trained on, under which licence, and its scores."""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from vosmem.checkpoints.bundled import bundled_weights
from vosmem.errors import InputError


class Score(NamedTuple):
    """One measured J&F."""

    data: str  # evaluation set, and which part of it
    protocol: str  # what the network sees: `whole frames` as in the papers, or `window`
    j_and_f: float  # in percent
    source: str  # command that measured the score, or who reports it


class Card(NamedTuple):
    """What a weights file is."""

    name: str  # of bundled weights; file name of published ones
    network: str  # `STM`, `STCN` or `REMN`, and its backbones
    parameters: float  # in millions
    megabytes: float  # size of the file
    licence: str  # of the weights; says so if they are for research only
    data: list[str]  # training sets
    scores: list[Score]  # measured here, or reported by the authors
    speed: str  # milliseconds per frame, with size, objects and machine
    use: str  # command that uses the file


# Sizes are computed from names and shapes; the files are a little larger. Scores are their authors'.
PUBLISHED = (
    Card(
        "stcn.pth",
        "STCN, ResNet-50 and ResNet-18",
        54.4,
        208,
        "MIT; pretrained model s012 of github.com/hkchengrex/STCN",
        ["ImageNet", "still images", "BL30K", "DAVIS-2017", "YouTube-VOS"],
        [
            Score("DAVIS-2016 val", "whole frames", 91.7, "its authors"),
            Score("DAVIS-2017 val", "whole frames", 85.3, "its authors"),
            Score("DAVIS-2017 test-dev", "whole frames", 79.9, "its authors"),
        ],
        "not measured",
        "vosmem convert stcn.pth stcn.safetensors",
    ),
    Card(
        "STM_weights.pth",
        "STM, two ResNet-50",
        38.9,
        149,
        "CC BY-NC-SA; pre-trained weights of github.com/seoungwugoh/STM",
        ["ImageNet", "still images", "DAVIS-2017", "YouTube-VOS"],
        [
            Score("DAVIS-2016 val", "whole frames", 89.3, "the paper"),
            Score("DAVIS-2017 val", "whole frames", 81.8, "the paper"),
        ],
        "not measured",
        "vosmem convert STM_weights.pth stm.safetensors",
    ),
)


def read_card(path: Path) -> Card:
    """Read the header of a model card, a Markdown file that starts with YAML between two lines `---`.

    Raises:
        InputError: the card or its header is missing, or the header lacks a key of `Card` or has another.
    """
    if not path.is_file():
        raise InputError(f"model card {str(path)!r} is missing: add it, or remove the weights")
    head, _, rest = path.read_text(encoding="utf-8").partition("\n---\n")
    try:
        fields = yaml.safe_load(head.removeprefix("---\n")) if rest and head.startswith("---\n") else None
    except yaml.YAMLError as error:
        raise InputError(f"model card {path.name}: its header is not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(fields, dict):
        raise InputError(f"model card {path.name} has no header: start it with YAML between two lines ---")
    scores = [_made(Score, score, path) for score in fields.pop("scores", None) or []]
    return _made(Card, {**fields, "scores": scores}, path)


def cards() -> list[Card]:
    """The cards of all bundled weights, then those of published weights."""
    return [*(read_card(path.with_suffix(".md")) for path in bundled_weights().values()), *PUBLISHED]


def _made(kind: Any, fields: dict[str, Any], path: Path) -> Any:
    if missing := set(kind._fields) - set(fields):
        raise InputError(f"model card {path.name}: add {', '.join(sorted(missing))} to its header")
    if unknown := set(fields) - set(kind._fields):
        raise InputError(f"model card {path.name}: {', '.join(sorted(unknown))} in its header is unknown")
    return kind(**fields)
