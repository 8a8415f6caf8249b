"""Model cards have all fields, and a card with a wrong header is refused by name."""

import pytest

from vosmem.checkpoints.bundled import bundled_weights
from vosmem.checkpoints.cards import PUBLISHED, cards, read_card
from vosmem.checkpoints.loading import load_network
from vosmem.errors import InputError

HEADER = """---
name: small
network: REMN
parameters: 8.0
megabytes: 15.3
licence: CC BY-NC 4.0
data: [DAVIS]
scores:
  - {data: DAVIS-2016 val, protocol: window, j_and_f: 75.9, source: vosmem evaluate}
speed: not measured
use: vosmem segment
---
# small
"""


def test_cards_name_every_bundled_and_published_file():
    assert [card.name for card in cards()] == [*bundled_weights(), *(card.name for card in PUBLISHED)]


@pytest.mark.parametrize("name", bundled_weights())
def test_a_card_agrees_with_its_file(name):
    path = bundled_weights()[name]
    card = read_card(path.with_suffix(".md"))
    parameters = sum(parameter.numel() for parameter in load_network(path).parameters())
    assert card.name == name
    assert card.parameters == pytest.approx(parameters / 1e6, abs=0.05)
    assert card.megabytes == pytest.approx(path.stat().st_size / 2**20, abs=0.05)
    assert card.scores and card.data and card.licence


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (HEADER.removeprefix("---\n"), "model card small.md has no header"),
        (HEADER.replace("licence: CC BY-NC 4.0\n", ""), "model card small.md: add licence to its header"),
        (HEADER.replace("j_and_f: 75.9, ", ""), "model card small.md: add j_and_f to its header"),
        (HEADER.replace("use:", "size: 3\nuse:"), "model card small.md: size in its header is unknown"),
        (HEADER.replace("[DAVIS]", "[DAVIS"), "model card small.md: its header is not YAML"),
    ],
)
def test_a_wrong_header_is_refused(tmp_path, wrong, message):
    path = tmp_path / "small.md"
    path.write_text(HEADER)
    assert read_card(path).scores[0].j_and_f == 75.9
    path.write_text(wrong)
    with pytest.raises(InputError, match=message):
        read_card(path)
    path.unlink()
    with pytest.raises(InputError, match=r"model card .* is missing"):
        read_card(path)
