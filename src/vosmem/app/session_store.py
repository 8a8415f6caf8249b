"""All visitors of one server, each with a folder of their own under a name that nobody guesses."""

import re
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from vosmem.app.session import Session
from vosmem.app.uploads import Limits
from vosmem.errors import InputError
from vosmem.inference.sequences.streaming import Segmenter

MOST_VISITORS = 8  # whose work is kept at a time


class SessionStore:
    """Sessions by their keys.

    Args:
        folder: holds everything that visitors bring and make; what lies there is deleted at the end.
        segmenter: the network, which all share.
        limits: of each visitor.
        short_side: the frames' short side for the network, at most; None keeps theirs.
        about: what results are made with, as plain values, for their report.
    """

    def __init__(
        self, folder: Path, segmenter: Segmenter, limits: Limits, short_side: int | None, about: Mapping[str, Any]
    ):
        self.folder, self.segmenter, self.limits, self.short_side = folder, segmenter, limits, short_side
        self.about = about
        self._sessions: dict[str, Session] = {}
        self._seen: dict[str, float] = {}
        self._lock = Lock()

    def enter(self, key: str | None) -> str:
        """The key of a visitor's session: the one that they bring, if it is known, else a new one.

        Raises:
            InputError: all places are taken by visitors whose propagation is under way.
        """
        with self._lock:
            if key in self._sessions:
                self._seen[str(key)] = time.monotonic()
                return str(key)
            self._make_room()
            key = secrets.token_hex(16)
            self._sessions[key] = Session(self.folder / key, self.segmenter, self.limits, self.short_side)
            self._seen[key] = time.monotonic()
            return key

    def session(self, key: str | None) -> Session:
        """The session of a key.

        Raises:
            InputError: there is none any more.
        """
        with self._lock:
            if key is None or key not in self._sessions:
                raise InputError("this visit has ended: reload the page")
            self._seen[key] = time.monotonic()
            return self._sessions[key]

    def told(self, error: Exception) -> str:
        """What a visitor is told of an error: its line, without our folders."""
        separator = r"[/\\]+"  # of Windows too, where a quoted path has two
        folder = separator.join(re.escape(part.strip("/\\")) for part in self.folder.parts)
        return re.sub(rf"{folder}{separator}(?:[^'\"/\\]+{separator})*", "", str(error))

    def close(self) -> None:
        """End all visits and delete everything."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_room(self) -> None:
        """End the visit that has been idle for longest, where there are too many."""
        if len(self._sessions) < MOST_VISITORS:
            return
        for key in sorted(self._sessions, key=self._seen.__getitem__):
            if self._sessions[key].close_if_idle():
                del self._sessions[key], self._seen[key]
                return
        raise InputError("too many visitors at a time: come back in a while")
