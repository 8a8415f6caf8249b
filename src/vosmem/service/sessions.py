"""The streams of a service's clients."""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from vosmem.errors import InputError
from vosmem.inference.sequences.streaming import Stream


@dataclass(frozen=True)
class ServiceLimits:
    """The limits of a service.

    Args:
        body_mb: largest request in megabytes.
        pixels: largest number of pixels of a frame.
        sessions: largest number of sessions at a time.
        idle_seconds: a session without requests for longer is ended.

    Raises:
        InputError: a limit is not positive.
    """

    body_mb: int = 32
    pixels: int = 4096 * 4096
    sessions: int = 8
    idle_seconds: float = 600.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise InputError(f"limit {name} is {value}: set a number above 0")

    @property
    def body_bytes(self) -> int:
        """Largest request in bytes."""
        return self.body_mb * 2**20


@dataclass
class ClientSession:
    """A stream; its lock is held during a step."""

    stream: Stream
    last_used: float = field(default_factory=time.monotonic)
    lock: Lock = field(default_factory=Lock)


class TooManySessions(InputError):
    """All sessions are in use."""


class UnknownSession(InputError):
    """There is no session of that name."""


class ClientSessions:
    """Sessions by an unguessable name.

    Args:
        make_stream: makes the stream of a session.
        limits: of the service.
        clock: seconds, as of `time.monotonic`.
    """

    def __init__(
        self, make_stream: Callable[[], Stream], limits: ServiceLimits, clock: Callable[[], float] = time.monotonic
    ):
        self._make_stream, self.limits, self._clock = make_stream, limits, clock
        self._sessions: dict[str, ClientSession] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._sessions)

    def start(self) -> str:
        """Start a session and return its name.

        Raises:
            TooManySessions: the largest number of sessions is running.
        """
        self.end_idle()
        with self._lock:
            if len(self._sessions) >= self.limits.sessions:
                raise TooManySessions(f"{len(self._sessions)} sessions are running: end one, or try again later")
            name = secrets.token_urlsafe(16)
            self._sessions[name] = ClientSession(self._make_stream(), self._clock())
            return name

    def get(self, name: str) -> ClientSession:
        """The session of a name; `UnknownSession` if it has ended or never was."""
        with self._lock:
            if name not in self._sessions:
                raise UnknownSession("there is no such session, or it has ended: start one")
            self._sessions[name].last_used = self._clock()
            return self._sessions[name]

    def end(self, name: str) -> None:
        """End a session and free its memory."""
        self.get(name)
        with self._lock, suppress(KeyError):
            del self._sessions[name]

    def end_idle(self) -> None:
        """End the sessions whose clients have not sent anything for too long; a running step is waited for."""
        now = self._clock()
        with self._lock:
            for name, session in list(self._sessions.items()):
                if now - session.last_used > self.limits.idle_seconds and not session.lock.locked():
                    del self._sessions[name]
