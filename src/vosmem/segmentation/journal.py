"""What came of each of many videos: a table and a log in one place, whoever segmented them."""

from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from vosmem.files import write_text
from vosmem.segmentation.tables import csv_text
from vosmem.segmentation.worker import Outcome

TABLE, LOG = "segmented.csv", "segmented.log"
COLUMNS = ("video", "state", "frames", "seconds", "attempts", "worker", "error")


class Journal:
    """Notes what happens as it does, and leaves a table at the end, also of a run that is stopped; a context manager.

    Args:
        folder: where both lie; it is made.

    Raises:
        OSError: the log cannot be written.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._rows: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._log = open(folder / LOG, "a", encoding="utf-8")  # noqa: SIM115 - closed at the end

    def note(self, text: str) -> None:
        """Add a line to the log, with the time."""
        time = datetime.now().isoformat(sep=" ", timespec="seconds")
        self._log.write(f"{time} {text}\n")
        self._log.flush()

    def add(self, name: str, outcome: Outcome) -> None:
        """Note what came of a video."""
        result, error = outcome.result, outcome.error
        state = "failed" if result is None else "done before" if result.skipped else "done"
        told = [state, *([str(error)] if error else []), *([f"by {outcome.worker}"] if outcome.worker else [])]
        self.note(f"{name}: {', '.join(told)}")
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
