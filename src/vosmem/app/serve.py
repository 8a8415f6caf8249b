"""Serving the page."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from vosmem.app.session_store import SessionStore
from vosmem.errors import InputError

FIRST_PORT, PORTS = 7860, 20  # where none is asked for


@contextmanager
def own_folder(parent: Path | None) -> Iterator[Path]:
    """A fresh folder that only this user can look into, for all that a server writes, uploads too.

    Args:
        parent: where it is made; None takes the system's folder for temporary files.

    Raises:
        InputError: it cannot be made.
    """
    try:
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="vosmem-app-", dir=parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder).resolve()
    except OSError as error:
        raise InputError(
            f"no folder can be made in {str(parent)!r} ({error.strerror}): name another --folder"
        ) from error


def free_port(host: str, port: int | None) -> int:
    """A port that nobody listens at.

    Args:
        host: where.
        port: the one that is asked for; None tries some.

    Raises:
        InputError: it is taken, or the host is none of this machine.
    """
    wanted = range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else (port,)
    for candidate in wanted:
        with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)) as tried:
            if os.name == "posix":  # on Windows it would take a port that another process listens at
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((host, candidate))
                return int(tried.getsockname()[1])
            except OverflowError as error:
                raise InputError(f"--port {port} is not possible: use 1 to 65535") from error
            except OSError as error:
                reason = error.strerror or str(error)
    raise InputError(f"{host} port {wanted[0]} cannot be listened at ({reason}): name another --host or --port")


@contextmanager
def serving(studio: SessionStore, host: str, port: int) -> Iterator[str]:
    """Serve the page of a studio while the context lasts; gives its address.

    Args:
        studio: whose page.
        host: where to listen.
        port: where to listen.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(studio.folder / "uploads")  # read when something is uploaded
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before it is imported: nothing is told, and nothing asked for
    from vosmem.app.page import make_page, read_part, theme

    page = make_page(studio).queue(default_concurrency_limit=4, max_size=64)
    try:
        _, url, _ = page.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            show_error=False,
            inbrowser=False,
            max_file_size=studio.limits.upload_bytes,
            allowed_paths=[str(studio.folder)],
            footer_links=[],
            theme=theme(),
            css=read_part("style.css"),
            run_history=False,
            ssr_mode=False,
        )
        yield url
    finally:
        page.close(verbose=False)
        studio.close()
