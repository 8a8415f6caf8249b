"""Files are there whole or not at all; a folder is one run's at a time."""

import multiprocessing
import os
import signal

import pytest

from vosmem.errors import InputError
from vosmem.files import locked, replacing, write_text


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


def test_a_folder_is_one_runs_at_a_time(tmp_path):
    with locked(tmp_path / "out"):
        with pytest.raises(InputError, match=r"out' is in use by another run: wait for its end, or use another"):
            locked(tmp_path / "out").__enter__()
        with locked(tmp_path / "other"):
            pass
    with locked(tmp_path / "out"):
        pass


def hold(folder, held, child):
    """Keep a folder in this process, and leave a further process behind that lives on."""
    with locked(folder):
        pid = os.fork()
        if pid:
            child.value = pid
            held.set()
        signal.pause()


def test_the_lock_of_a_killed_process_is_gone_although_its_child_lives_on(tmp_path):
    context = multiprocessing.get_context("fork")
    held, child = context.Event(), context.Value("i", 0)
    process = context.Process(target=hold, args=(tmp_path, held, child), daemon=True)
    process.start()
    assert held.wait(30)
    try:
        with pytest.raises(InputError, match="in use"), locked(tmp_path):
            pass
        process.kill()
        process.join()
        with locked(tmp_path):
            pass
    finally:
        os.kill(child.value, signal.SIGKILL)
