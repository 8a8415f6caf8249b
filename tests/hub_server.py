"""What `huggingface_hub` asks of the Hub to fetch a file, answered on this machine from a folder."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c" * 40
REVISIONS = {"main": COMMIT, "v2": "d" * 40, COMMIT: COMMIT}


@contextmanager
def hub_server(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve `folder/USER/REPO/COMMIT/FILE`; gives the endpoint, and a list that grows by every request."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            asked.append(f"{self.command} {self.path}")
            user, repo, _, revision, *file = self.path.strip("/").split("/")
            root, commit = folder / user / repo, REVISIONS.get(revision)
            if user == "gated":
                self.refuse(403, "GatedRepo")
            elif not root.is_dir():
                self.refuse(404, "RepoNotFound")
            elif commit is None:
                self.refuse(404, "RevisionNotFound")
            elif not (path := root.joinpath(commit, *file)).is_file():
                self.refuse(404, "EntryNotFound")
            else:
                content = path.read_bytes()
                self.send_response(200)
                self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
                self.send_header("X-Repo-Commit", commit)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if with_body:
                    self.wfile.write(content)

        def refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
