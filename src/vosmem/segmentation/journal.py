"""The log and the table of a run over many videos."""

from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from vosmem.files import write_text
from vosmem.segmentation.tables import csv_text
from vosmem.workers import Outcome

TABLE, LOG = "segmented.csv", "segmented.log"
COLUMNS = ("video", "state", "frames", "seconds", "attempts", "worker", "error")


class Journal:
    """A context manager that logs events as they happen and writes the table at the end, also of a stopped run."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._rows: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._log = open(folder / LOG, "a", encoding="utf-8")  # noqa: SIM115 - closed in __exit__

    def note(self, text: str) -> None:
        """Add a line with the time to the log."""
        time = datetime.now().isoformat(sep=" ", timespec="seconds")
        self._log.write(f"{time} {text}\n")
        self._log.flush()

    def add(self, name: str, outcome: Outcome) -> None:
        """Add the outcome of a video, which is a `VideoResult` or an error, to both files."""
        result, error = outcome.result, outcome.error
        state = "failed" if result is None else "done before" if result.skipped else "done"
        details = [state, *([str(error)] if error else []), *([f"by {outcome.worker}"] if outcome.worker else [])]
        self.note(f"{name}: {', '.join(details)}")
        if outcome.trace:
            self.note(outcome.trace.rstrip())
        self._rows.append(
            {
                "video": name,
                "state": state,
                "frames": None if result is None else result.num_frames,
                "seconds": None if result is None else round(result.seconds, 2),
                "attempts": outcome.attempts,
                "worker": outcome.worker,
                "error": None if error is None else str(error),
            }
        )

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.close()
        write_text(self.folder / TABLE, csv_text(COLUMNS, self._rows))
