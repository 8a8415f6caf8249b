"""The HTTP server of the service; docs/how-to/serve.md describes its interface."""

import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

from vosmem.errors import InputError
from vosmem.service.pictures import decode_frame, decode_mask, encode_mask
from vosmem.service.sessions import ClientSessions, TooManySessions, UnknownSession

READ_SECONDS = 30.0  # a client that sends nothing for longer is cut off
DISCARDED_BYTES = 2**28  # of a refused request that are read, so that the client gets to read why
BLOCK_BYTES = 2**16
SECONDS_BETWEEN_CHECKS = 5.0
MALFORMED = (ValueError, RecursionError)


class ServiceServer(ThreadingHTTPServer):
    """A server with a thread for each connection; steps of the network run one at a time."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], sessions: ClientSessions, token: str):
        self.sessions, self.token, self.network = sessions, token, Lock()
        super().__init__(address, ServiceHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that vanish."""


class RequestError(Exception):
    """A request that is answered with an error status."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class ServiceHandler(BaseHTTPRequestHandler):
    """Answers the requests of one connection in JSON."""

    server: ServiceServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "vosmem", ""
    timeout = READ_SECONDS

    def do_GET(self) -> None:
        """`/health`."""
        self._answer()

    def do_POST(self) -> None:
        """`/sessions`, `/sessions/NAME/frames`."""
        self._answer()

    def do_DELETE(self) -> None:
        """`/sessions/NAME`, `/sessions/NAME/objects/ID`."""
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: names of sessions are secrets."""

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        self._unread = int(length) if length.isdecimal() else 0
        try:
            status, content = self._route()
        except RequestError as error:
            status, content = error.status, {"error": str(error)}
        except UnknownSession as error:
            status, content = 404, {"error": str(error)}
        except TooManySessions as error:
            status, content = 429, {"error": str(error)}
        except InputError as error:
            status, content = 400, {"error": str(error)}
        except (RuntimeError, MemoryError) as error:  # of the network, such as memory that ran out
            status, content = 500, {"error": str(error).splitlines()[0] if str(error) else type(error).__name__}
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status >= 400:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        if self.close_connection:
            self._discard_rest()

    def _discard_rest(self) -> None:
        """Read what the client still sends: closing the connection before would lose the answer on its way."""
        rest = min(self._unread, DISCARDED_BYTES)
        while rest > 0 and (block := self.rfile.read(min(rest, BLOCK_BYTES))):
            rest -= len(block)

    def _route(self) -> tuple[int, dict[str, Any]]:
        parts = self.path.strip("/").split("/")
        if (self.command, parts) == ("GET", ["health"]):
            return 200, {"status": "ok"}
        expected, given = f"Bearer {self.server.token}", self.headers.get("Authorization", "")
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise RequestError(401, "the token is missing or wrong: send 'Authorization: Bearer TOKEN'")
        sessions = self.server.sessions
        match self.command, parts:
            case "POST", ["sessions"]:
                self._body()
                return 201, {"session": sessions.start()}
            case "POST", ["sessions", name, "frames"]:
                sessions.get(name)  # before a large body is read
                return 200, self._step(name, self._body())
            case "DELETE", ["sessions", name]:
                sessions.end(name)
                return 200, {}
            case "DELETE", ["sessions", name, "objects", number] if number.isdecimal():
                session = sessions.get(name)
                with session.lock, self.server.network:
                    session.stream.remove(int(number))
                return 200, {"objects": list(session.stream.objects)}
        raise RequestError(404, f"there is no {self.command} {self.path}")

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            raise RequestError(411, "the length of the request is missing: send Content-Length")
        if int(length) > self.server.sessions.limits.body_bytes:
            raise RequestError(413, f"the request is larger than {self.server.sessions.limits.body_mb} MB: shrink it")
        raw = self.rfile.read(int(length))
        self._unread = 0
        if len(raw) < int(length):
            raise RequestError(400, "the request is cut: send it again")
        try:
            content = json.loads(raw or b"{}")
        except MALFORMED as error:
            raise RequestError(400, "the request is no JSON") from error
        if not isinstance(content, dict):
            raise RequestError(400, "the request is no JSON object")
        return content

    def _step(self, name: str, content: dict[str, Any]) -> dict[str, Any]:
        pixels = self.server.sessions.limits.pixels
        frame = decode_frame(content.get("frame"), pixels)
        mask = None if content.get("mask") is None else decode_mask(content["mask"], pixels)
        absent = content.get("absent", [])
        if not (isinstance(absent, list) and all(isinstance(number, int) for number in absent)):
            raise InputError("absent is no list of object ids: send whole numbers")
        session = self.server.sessions.get(name)
        with session.lock, self.server.network:
            found = session.stream.step(frame, mask, absent=absent)
            ids = found.ids.numpy()
            answer = {"t": found.t, "objects": list(found.objects), "memory_bytes": session.stream.memory_bytes}
        self.server.sessions.get(name)  # a step counts as use at its end too
        return {**answer, "mask": encode_mask(ids)}


@contextmanager
def serving(sessions: ClientSessions, host: str, port: int, token: str) -> Iterator[str]:
    """Serve while the context lasts; yields the address.

    Args:
        sessions: of the clients.
        host: address to listen on.
        port: 0 for any free port.
        token: that each client must send.

    Raises:
        InputError: the address cannot be used.
    """
    try:
        server = ServiceServer((host, port), sessions, token)
    except (OSError, OverflowError) as error:
        raise InputError(f"{host} port {port} cannot be used ({error}): name another --host or --port") from error
    ended = Event()

    def end_idle() -> None:
        while not ended.wait(min(SECONDS_BETWEEN_CHECKS, sessions.limits.idle_seconds)):
            sessions.end_idle()

    threads = [Thread(target=server.serve_forever, daemon=True), Thread(target=end_idle, daemon=True)]
    for thread in threads:
        thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        for thread in threads:
            thread.join()
