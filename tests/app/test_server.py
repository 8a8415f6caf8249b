"""The server without a browser: sessions, ports, and files that it must not serve."""

import secrets
import socket
from pathlib import Path, PureWindowsPath

import pytest
import torch

from tests.messages import naming
from vosmem.app import serve
from vosmem.app.serve import free_port, private_folder, serving
from vosmem.app.session import Session
from vosmem.app.session_store import MAX_SESSIONS, SessionStore
from vosmem.app.uploads import Limits
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.sequences.streaming import Segmenter


@pytest.fixture
def store(tmp_path, small_stm):
    with private_folder(tmp_path / "visits") as folder:
        yield SessionStore(folder, Segmenter(small_stm, Engine(torch.device("cpu"))), Limits(upload_mb=1), None, {})


def test_sessions_have_their_own_folders_and_the_longest_idle_one_is_ended(store):
    keys = [store.enter(None) for _ in range(MAX_SESSIONS)]
    assert len({store.session(key).folder for key in keys}) == MAX_SESSIONS
    assert store.enter(keys[0]) == keys[0]
    store.session(keys[0])
    gone = store.session(keys[1]).folder
    for key in (keys[0], *keys[2:]):
        store.session(key)
    store.enter("../../etc")  # an unknown key starts a new session
    assert not gone.exists()
    with pytest.raises(InputError, match="session has ended: reload"):
        store.session(keys[1])
    assert {path.name for path in store.folder.iterdir()} <= set(store._sessions)


def test_messages_hide_paths_of_the_server(store):
    error = InputError(f"video '{store.folder}/0a/video_x/source/a b.mp4' cannot be read: replace the file")
    assert store.public_message(error) == "video 'a b.mp4' cannot be read: replace the file"


def test_messages_hide_windows_paths_of_the_server(store):
    store.folder = PureWindowsPath("C:/Users/me (2)/visits")
    path = store.folder / "0a" / "video_x" / "source" / "a b.mp4"
    for text in (str(path), repr(str(path))[1:-1]):
        assert store.public_message(InputError(f"video '{text}' cannot be read")) == "video 'a b.mp4' cannot be read"


def test_the_folder_is_private_and_deleted_at_the_end(tmp_path):
    with private_folder(tmp_path / "new" / "visits") as folder:
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "file").touch()
    assert not folder.exists()
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=naming("no folder can be created", "name another --folder")),
        private_folder(tmp_path / "file"),
    ):
        pass


def test_on_windows_a_port_in_use_is_not_reused(monkeypatch):
    """There SO_REUSEADDR lets two servers listen at one port."""
    set_options = []

    class Watched(socket.socket):
        def setsockopt(self, *option):
            set_options.append(option)

    with monkeypatch.context() as patch:
        patch.setattr(serve.socket, "socket", Watched)
        patch.setattr(serve.os, "name", "nt")
        port = free_port("127.0.0.1", None)
    assert port and set_options == []


def test_a_port_in_use_is_reported_and_a_free_one_found():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=naming(f"127.0.0.1 port {port}", "--port")):
            free_port("127.0.0.1", port)
    assert free_port("127.0.0.1", None) >= 7860
    for host, port in (("127.0.0.1", 70000), ("203.0.113.1", None)):
        with pytest.raises(InputError):
            free_port(host, port)


def mask_loaded(client, key, path):
    """The server's answer to a page that loads a mask from a file."""
    events = client.get("/config").json()["dependencies"]
    event = next(event for event in events if event["api_name"] == "load_mask")
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    asked = {"data": [key, 0, file], "fn_index": event["id"], "session_hash": secrets.token_hex(4)}
    client.post("/gradio_api/queue/join", json=asked)
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": asked["session_hash"]}) as answer:
        return next(line for line in answer.iter_lines() if "process_completed" in line).replace(" ", "")


@pytest.mark.filterwarnings("ignore")  # of Gradio's own
def test_the_server_serves_only_the_page_and_own_uploads(store, tmp_path):
    pytest.importorskip("gradio", reason="the page needs Gradio: pip install 'vosmem[app]'")
    httpx = pytest.importorskip("httpx")
    (tmp_path / "secret.png").write_bytes(b"secret")
    with (
        serving(store, "127.0.0.1", free_port("127.0.0.1", 0)) as url,
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        assert "vosmem" in client.get("/").text
        for path in ("/etc/passwd", str(tmp_path / "secret.png"), f"{store.folder}/../../secret.png"):
            assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)
        assert client.post("/gradio_api/upload", files={"files": ("a.mp4", b"0" * (2 * 2**20))}).status_code == 413
        (uploaded,) = client.post("/gradio_api/upload", files={"files": ("../../../evil.png", b"0")}).json()
        assert Path(uploaded).resolve().is_relative_to(store.folder / "uploads")
        # A page that names a file of this machine as its upload gets nothing of it.
        assert '"success":true' in mask_loaded(client, store.enter(None), uploaded)
        assert '"success":false' in mask_loaded(client, store.enter(None), str(tmp_path / "secret.png"))
    assert not store.folder.exists()


@pytest.mark.filterwarnings("ignore")  # of Gradio's own
def test_a_visitor_beyond_the_limit_sees_the_reason(store, monkeypatch):
    gradio = pytest.importorskip("gradio", reason="the page needs Gradio: pip install 'vosmem[app]'")
    from vosmem.app.events import Components, Events

    for _ in range(MAX_SESSIONS):
        store.enter(None)
    monkeypatch.setattr(Session, "close_if_idle", lambda self: False)  # as while a propagation is running
    shown = []
    monkeypatch.setattr(gradio, "Warning", lambda message, **options: shown.append(message))
    components = Components(**{name: name for name in Components._fields})
    changes = Events(store, components).enter(None)
    assert shown == ["too many visitors at a time: come back in a while"]
    assert changes == {"status": f'<p role="status">{shown[0]}</p>'}
