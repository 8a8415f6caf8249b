"""Each decision about an input has a note, a test case and a row in the docs."""

import copy
import pickle

import pytest

from tests.inputs.decisions import CASES, PAGE, in_page
from vosmem.data.decoding.notes import Decision


def test_every_decision_has_a_case():
    assert set(CASES) == set(Decision)


@pytest.mark.parametrize("decision", CASES, ids=lambda decision: decision.name)
def test_each_decision_has_a_note(tmp_path, decision):
    notes = CASES[decision](tmp_path)
    assert decision in {note.decision for note in notes}
    assert all("\n" not in note and "{" not in note for note in notes)


def test_the_table_in_the_docs_is_up_to_date():
    page = PAGE.read_text()
    assert page == in_page(page), "run python -m tests.inputs.decisions"


@pytest.mark.parametrize("again", [copy.deepcopy, lambda note: pickle.loads(pickle.dumps(note))])
def test_a_note_can_be_copied_and_pickled(again):
    note = Decision.MASKS_EMPTY.note(masks="1 mask").prefixed("here: ")
    assert (again(note), again(note).decision) == ("here: 1 mask without objects, not used", Decision.MASKS_EMPTY)
