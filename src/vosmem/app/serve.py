"""Serve the page."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from vosmem.app.session_store import SessionStore
from vosmem.errors import InputError

FIRST_PORT, NUM_PORTS = 7860, 20  # tried by default


@contextmanager
def private_folder(parent: Path | None) -> Iterator[Path]:
    """A temporary folder that only this user can read, in `parent` or the system's folder; `InputError` on failure."""
    try:
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="vosmem-app-", dir=parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder).resolve()
    except OSError as error:
        raise InputError(
            f"no folder can be created in {str(parent)!r} ({error.strerror}): name another --folder"
        ) from error


def free_port(host: str, port: int | None) -> int:
    """Find a free port, or check the given one. `InputError` if it is in use or the host is not of this machine."""
    wanted = range(FIRST_PORT, FIRST_PORT + NUM_PORTS) if port is None else (port,)
    for candidate in wanted:
        with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)) as listener:
            if os.name == "posix":  # on Windows this would accept a port that is in use
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((host, candidate))
                return int(listener.getsockname()[1])
            except OverflowError as error:
                raise InputError(f"--port {port} is no port: use 1 to 65535") from error
            except OSError as error:
                reason = error.strerror or str(error)
    raise InputError(f"{host} port {wanted[0]} cannot be used ({reason}): name another --host or --port")


@contextmanager
def serving(store: SessionStore, host: str, port: int) -> Iterator[str]:
    """Serve the page over the sessions of a store while the context lasts; yields its address."""
    os.environ["GRADIO_TEMP_DIR"] = str(store.folder / "uploads")  # read at an upload
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read at the import; Gradio then contacts no other machine
    from vosmem.app.page import make_page, read_asset, theme

    page = make_page(store).queue(default_concurrency_limit=4, max_size=64)
    try:
        _, url, _ = page.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            show_error=False,
            inbrowser=False,
            max_file_size=store.limits.upload_bytes,
            allowed_paths=[str(store.folder)],
            footer_links=[],
            theme=theme(),
            css=read_asset("style.css"),
            run_history=False,
            ssr_mode=False,
        )
        yield url
    finally:
        page.close(verbose=False)
        store.close()
