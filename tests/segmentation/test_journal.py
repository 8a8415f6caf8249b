"""The table and log of a run over many videos."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from vosmem.errors import InputError
from vosmem.segmentation.journal import LOG, TABLE, Journal
from vosmem.segmentation.video import VideoResult
from vosmem.workers import Outcome

RESULT = VideoResult(Path("out"), 3, seconds=1.5)


def test_the_journal_is_complete_after_a_stopped_run(tmp_path):
    done = Outcome(result=RESULT, worker="host:1", attempts=2)

    def stopped():
        with Journal(tmp_path / "out") as journal:
            journal.note("2 videos")
            journal.add("a", done)
            journal.add("b", replace(done, result=VideoResult(Path("out"), 4, skipped=True)))
            journal.add("c, d", Outcome(error=InputError("no mask"), trace="Traceback\n  line\n"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    table = pd.read_csv(tmp_path / "out" / TABLE)
    assert list(table["video"]) == ["a", "b", "c, d"] and list(table["state"]) == ["done", "done before", "failed"]
    assert list(table["frames"])[:2] == [3, 4] and list(table["attempts"]) == [2, 2, 1]
    assert table["error"][2] == "no mask" and table["worker"][0] == "host:1"
    with Journal(tmp_path / "out"):
        pass
    lines = (tmp_path / "out" / LOG).read_text().splitlines()
    assert len(lines) == 6 and lines[1].endswith(" a: done, by host:1") and lines[4:] == [lines[4], "  line"]
