"""The check of words finds each word to avoid, with its line and a replacement, and respects the allow-list."""

import subprocess
import sys

import pytest

from tests.packaging import check_words
from tests.packaging.check_words import NAMES, PROSE, REPOSITORY, allowed, finds

IN_PROSE = {
    "alone": "Frames with a given mask alone.",
    "anew": "Draw the crop anew.",
    "mend": "One line names the fault and how it was mended.",
    "told": "The network is told where the objects were.",
    "said": "As was said of the frame.",
    "beside": "Masks lie beside the frames.",
    "whoever": "Whoever waits learns nothing.",
    "nobody": "No mask that nobody gave.",
    "nowhere": "The object is nowhere in this frame.",
    "that which": "Keep that which is new.",
    "dear": "How dear a frame is.",
    "place": "t: its place in the video.",
    "stands": "The reason stands in the table.",
    "economy": "The economy of the gate.",
    "forgetting": "How the bank forgets.",
    "synthesis": "The synthesis of clips.",
    "stills": "Clips made of stills.",
    "config group": "vosmem evaluate dataset=davis16",
    "vosmem.build": "See vosmem.build for configs.",
}
AS_NAMES = {
    "forgets": ["forgets", "room", "first_to_stay"],
    "credit": ["credit", "counts_usage"],
    "economy": ["economy"],
    "way": ["way", "ways"],
    "Reading": ["Reading"],
    "Sight": ["Sight", "Look", "look"],
    "Behind": ["Behind", "ahead"],
    "Studio": ["Studio", "Work", "Pace"],
    "synthesis": ["synthesis", "clip_synthesis"],
    "stills": ["stills", "Still", "EmbeddedStills"],
    "place": ["place", "places"],
    "told": ["_told", "said", "tell"],
    "stage": ["stage", "stages"],
    "Made": ["_Made", "Row", "_Items"],
}
ORDINARY = """# Understand the standard: replace images in place, and place the crop at random; K stands for a number.
stand_alone, layout, away, already, distill, backstage = 1, 2, 3, 4, 5, 6
overlooked = "a way to look at data, still running; tell two objects apart; let alone"
"""


def test_every_word_has_an_example():
    assert set(IN_PROSE) == set(PROSE) and set(AS_NAMES) == set(NAMES)


@pytest.mark.parametrize("word", PROSE)
@pytest.mark.parametrize(
    ("path", "form"),
    [("page.md", "\n{}\n"), ("a.py", "\n# {}\n"), ("a.py", '\n"""{}"""\n'), ("conf/a.yaml", "\n# {}\n")],
)
def test_a_word_in_prose_is_found(word, path, form):
    found = finds(path, form.format(IN_PROSE[word]))
    assert [(find.line, find.word) for find in found] == [(2, word)] and found[0].use == PROSE[word][1]


@pytest.mark.parametrize(("word", "name"), [(word, name) for word, names in AS_NAMES.items() for name in names])
def test_a_name_is_found(word, name):
    for path, content in (("a.py", f"\n{name} = 1\n"), ("conf/a.yaml", f"\n{name}: 1\n")):
        found = finds(path, content)
        assert [(find.line, find.word, find.text) for find in found if find.word in NAMES and find.text == name] == [
            (2, word, name)
        ]


def test_ordinary_words_pass():
    assert finds("a.py", ORDINARY) == []


def test_allow_list(monkeypatch):
    monkeypatch.setattr(check_words, "ALLOWED", (("src/a*.py", "stage", "ResNet"),))
    assert allowed("src/a1.py", "stage", "a ResNet stage = 1")
    assert not allowed("src/a1.py", "stage", "stage = 1")
    assert not allowed("src/b.py", "stage", "a ResNet stage = 1")
    assert not allowed("src/a1.py", "place", "a ResNet place = 1")


def test_output_and_status(tmp_path, monkeypatch, capsys):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "page.md").write_text("Good.\nDraw it anew.\n")
    (tmp_path / "good.md").write_text("Draw it again.\n")
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    monkeypatch.setattr(check_words, "REPOSITORY", tmp_path)
    assert check_words.main([]) == 1
    assert capsys.readouterr().out == "page.md:2: anew: use again\n"
    assert check_words.main(["good.md"]) == 0


def test_pages_pass():
    """README, docs and the other pages avoid the words."""
    pages = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs",
        "notebooks",
        "src/vosmem/weights",
        "Makefile",
        "setup.cfg",
    ]
    done = subprocess.run(
        [sys.executable, "tests/packaging/check_words.py", *pages], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
