"""The sessions of all visitors of a server, each in a folder of its own with an unguessable name."""

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

MAX_SESSIONS = 8


class SessionStore:
    """Sessions by key.

    Args:
        folder: of all files of the visitors; deleted at the end.
        segmenter: the network, shared by all sessions.
        limits: of each session.
        short_side: largest short side of frames for the network; None keeps their size.
        about: what results are made with, as JSON values, for reports.
        cut: how a prompt becomes a mask, as in `make_first_mask`.
    """

    def __init__(
        self,
        folder: Path,
        segmenter: Segmenter,
        limits: Limits,
        short_side: int | None,
        about: Mapping[str, Any],
        cut: str = "network",
    ):
        self.folder, self.segmenter, self.limits, self.short_side = folder, segmenter, limits, short_side
        self.about, self.cut = about, cut
        self._sessions: dict[str, Session] = {}
        self._last_used: dict[str, float] = {}
        self._lock = Lock()

    def enter(self, key: str | None) -> str:
        """Return the key of a known session, or start a session and return its key.

        Raises `InputError` if there are too many sessions, and none is idle.
        """
        with self._lock:
            if key is None or key not in self._sessions:
                self._make_room()
                key = secrets.token_hex(16)
                self._sessions[key] = Session(self.folder / key, self.segmenter, self.limits, self.short_side, self.cut)
            self._last_used[key] = time.monotonic()
            return key

    def session(self, key: str | None) -> Session:
        """The session of a key; `InputError` if it has ended."""
        with self._lock:
            if key is None or key not in self._sessions:
                raise InputError("this session has ended: reload the page")
            self._last_used[key] = time.monotonic()
            return self._sessions[key]

    def public_message(self, error: Exception) -> str:
        """The message of an error without the server's folders."""
        separator = r"[/\\]+"  # a quoted Windows path has two backslashes
        folder = separator.join(re.escape(part.strip("/\\")) for part in self.folder.parts)
        return re.sub(rf"{folder}{separator}(?:[^'\"/\\]+{separator})*", "", str(error))

    def close(self) -> None:
        """End all sessions and delete their files."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_room(self) -> None:
        """End the session that has been idle for longest if there are too many."""
        if len(self._sessions) < MAX_SESSIONS:
            return
        for key in sorted(self._sessions, key=self._last_used.__getitem__):
            if self._sessions[key].close_if_idle():
                del self._sessions[key], self._last_used[key]
                return
        raise InputError("too many visitors at a time: come back in a while")
