"""Files are there whole or not at all."""

import pytest

from vosmem.files import replacing, write_text


def test_folders_are_made_and_what_was_there_is_replaced(tmp_path):
    for text in ("one", "zwei ÿ"):
        path = write_text(tmp_path / "new" / "note.txt", text)
        assert path.read_text(encoding="utf-8") == text and list(path.parent.iterdir()) == [path]


def fail_in_the_middle(path):
    with replacing(path) as partial:
        partial.write_text("half")
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("older", [None, "older"])
def test_a_failure_leaves_what_was_there(tmp_path, older):
    path = tmp_path / "note.txt"
    if older:
        path.write_text(older)
    with pytest.raises(OSError, match="No space left"):
        fail_in_the_middle(path)
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ([older] if older else [])
