"""Event handlers of the page: each calls a session and returns the components that change."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from vosmem.app import views
from vosmem.app.examples import write_example
from vosmem.app.session import SECONDS_TO_END, Session
from vosmem.app.session_store import SessionStore
from vosmem.errors import InputError

Changes = dict[Any, Any]
MESSAGE_SECONDS = 12


class Components(NamedTuple):
    """The components of the page that change."""

    key: gr.BrowserState  # of the session, stored in the browser
    opener: gr.Accordion  # around what opens videos
    upload: gr.File
    canvas: gr.HTML  # the frame with its masks, to draw on
    frame: gr.Slider  # frame index
    charts: gr.HTML  # frames to check, and confidence curves
    direction: gr.Radio
    propagate: gr.Button
    again: gr.Button  # propagates from the current frame
    stop: gr.Button
    status: gr.HTML  # state of the session, and notes
    load_mask: gr.UploadButton
    downloads: tuple[gr.Button, ...]  # masks, overlay, report, and the format of the list
    form: gr.Dropdown  # the format to download
    file: gr.DownloadButton  # hands a file to the browser; invisible

    @property
    def outputs(self) -> list[Any]:
        """All components that an event may change."""
        single = [part for name, part in self._asdict().items() if name not in ("downloads", "form", "file")]
        return [*single, *self.downloads]


class Events:
    """The event handlers of one page; `key` is always that of the visitor's session."""

    def __init__(self, store: SessionStore, components: Components):
        self.store, self.components = store, components

    def enter(self, key: str | None) -> Changes:
        """The page was loaded or reloaded."""
        try:
            key = self.store.enter(key)
            session = self.store.session(key)
            session.stop(SECONDS_TO_END)  # a reloaded page no longer watches the old job
            folded = {self.components.opener: gr.Accordion(open=not session.is_open)}
            return {self.components.key: key, **folded, **self._show_all(session, 0)}
        except (InputError, OSError) as error:
            self._warn(error)
            # Without a session nothing works, so the reason stays after the message has faded.
            return {self.components.status: views.line(self.store.public_message(error))}

    def upload(self, key: str | None, paths: Sequence[str] | None) -> Changes:
        """Files were dropped or chosen."""
        if not paths:
            return self._no_changes()
        return self._open(key, lambda session: session.open([Path(path) for path in paths]))

    def example(self, key: str | None, name: str) -> Changes:
        """An example was chosen."""
        return self._open(key, lambda session: session.open_example(lambda folder: write_example(name, folder)))

    def scrub(self, key: str | None, t: int) -> Changes:
        """The slider was moved to frame t."""
        return self._change(key, t, lambda session: None, lambda session: {})

    def go(self, key: str | None, event: gr.EventData) -> Changes:
        """A frame was chosen by a key, by playing, or in the charts."""
        t = _sent(event, "t", int)
        return self._change(key, t, lambda session: None, lambda session: {self.components.frame: t})

    def stroke(self, key: str | None, event: gr.EventData) -> Changes:
        """A stroke was drawn."""
        t, object_id, radius = _sent(event, "t", int), _sent(event, "number", int), _sent(event, "radius", float)
        return self._draw(key, t, lambda session: session.draw(t, object_id, _sent(event, "points", list), radius))

    def mark(self, key: str | None, event: gr.EventData) -> Changes:
        """A point or a box was set; the page sends the whole prompt of an object, and a number that comes back."""
        t, object_id = _sent(event, "t", int), _sent(event, "number", int)
        box, points, asked = getattr(event, "box", None), _sent(event, "points", list), _sent(event, "asked", int)
        changes = self._draw(key, t, lambda session: session.mark(t, object_id, box, points))
        if isinstance(value := changes.get(self.components.canvas), dict):
            value["asked"] = asked
        return changes

    def rename(self, key: str | None, event: gr.EventData) -> Changes:
        """An object got a name."""
        t, object_id, name = _sent(event, "t", int), _sent(event, "number", int), _sent(event, "name", str)
        return self._change_and_go(key, t, lambda session: session.rename(object_id, name))

    def clear(self, key: str | None, event: gr.EventData) -> Changes:
        """Clear was pressed."""
        t = _sent(event, "t", int)
        return self._draw(key, t, lambda session: session.clear(t))

    def undo(self, key: str | None, event: gr.EventData) -> Changes:
        """Undo was pressed; the last change may be in another frame."""
        return self._change_and_go(key, _sent(event, "t", int), Session.undo)

    def load_mask(self, key: str | None, t: int, path: str | None) -> Changes:
        """A mask file was chosen for frame t."""
        if path is None:
            return self._no_changes()
        return self._change_and_go(key, t, lambda session: session.load_masks(Path(path), t))

    def propagate(self, key: str | None, direction: str) -> Iterator[Changes]:
        """Propagate was pressed."""
        yield from self._propagate(key, direction, 0, None)

    def again(self, key: str | None, t: int) -> Iterator[Changes]:
        """Propagation from frame t was asked for."""
        yield from self._propagate(key, "forward", t, t)

    def stop(self, key: str | None) -> None:
        """Stop was pressed."""
        with suppress(InputError):
            self.store.session(key).stop()

    def masks_file(self, key: str | None) -> str:
        """Path of the masks to download."""
        return self._file(key, Session.masks_file)

    def overlay_file(self, key: str | None) -> str:
        """Path of the overlay video to download."""
        return self._file(key, Session.overlay_file)

    def report_file(self, key: str | None) -> str:
        """Path of the report to download."""
        return self._file(key, lambda session: session.report_file(self.store.about))

    def format_file(self, key: str | None, name: str) -> str:
        """Path of the masks in a format to download."""
        return self._file(key, lambda session: session.format_file(name))

    def _open(self, key: str | None, step: Callable[[Session], None]) -> Changes:
        """Open a video, show everything and fold the opener."""
        try:
            session = self.store.session(key)
            step(session)
            changes = self._show_all(session, 0)  # fails where another tab opens another video
        except (InputError, OSError) as error:
            self._warn(error)
            return {self.components.upload: None}
        return {self.components.upload: None, self.components.opener: gr.Accordion(open=False), **changes}

    def _draw(self, key: str | None, t: int, step: Callable[[Session], Any]) -> Changes:
        return self._change(key, t, step, lambda session: {self.components.status: views.status(session)})

    def _change_and_go(self, key: str | None, t: int, step: Callable[[Session], int | None]) -> Changes:
        """Run a step that returns the index of the changed frame, and show that frame."""
        try:
            session = self.store.session(key)
            changed = step(session)
            return self._show_all(session, t if changed is None else changed)
        except (InputError, OSError) as error:
            self._warn(error)
            return self._no_changes()

    def _change(
        self, key: str | None, t: int, step: Callable[[Session], Any], more: Callable[[Session], Changes]
    ) -> Changes:
        """Run a step on frame t. The frame is shown again even after an error, to remove the browser's sketch."""
        try:
            session = self.store.session(key)
            try:
                step(session)
            except (InputError, OSError) as error:
                self._warn(error)
            return {self.components.canvas: views.canvas(session, t), **more(session)}
        except (InputError, OSError) as error:
            self._warn(error)
            return self._no_changes()

    def _propagate(self, key: str | None, direction: str, t: int, start: int | None) -> Iterator[Changes]:
        try:
            session = self.store.session(key)
        except InputError as error:
            self._warn(error)
            return
        start_time = time.monotonic()
        try:
            for progress in session.propagate(direction, start):
                t = t if progress.t is None else progress.t
                yield {
                    self.components.canvas: views.canvas(session, t),
                    self.components.frame: gr.Slider(value=t, interactive=False),
                    **self._buttons(session),
                    self.components.status: views.progress_bar(progress, time.monotonic() - start_time),
                }
        except (InputError, OSError) as error:
            self._warn(error)
        yield self._change_and_go(key, t, lambda session: t)

    def _file(self, key: str | None, make: Callable[[Session], Path]) -> str:
        try:
            return str(make(self.store.session(key)))
        except (InputError, OSError) as error:
            raise gr.Error(self._as_html(error), duration=MESSAGE_SECONDS, print_exception=False) from error

    def _show_all(self, session: Session, t: int) -> Changes:
        count = len(session.project.frames) if session.is_open else 1
        slider = gr.Slider(maximum=max(1, count - 1), value=t, interactive=count > 1, visible=session.is_open)
        return {
            self.components.canvas: views.canvas(session, t),
            self.components.frame: slider,
            self.components.charts: views.charts(session),
            self.components.status: views.status(session),
            **self._buttons(session),
        }

    def _buttons(self, session: Session) -> Changes:
        idle = session.is_open and not session.is_propagating
        has_results = idle and bool(session.project.results.done)
        return {
            self.components.propagate: gr.Button(interactive=idle, visible=not session.is_propagating),
            self.components.stop: gr.Button(visible=session.is_propagating),
            self.components.again: gr.Button(interactive=has_results),
            self.components.load_mask: gr.UploadButton(interactive=idle),
            **{button: gr.Button(interactive=has_results) for button in self.components.downloads},
        }

    def _warn(self, error: Exception) -> None:
        gr.Warning(self._as_html(error), duration=MESSAGE_SECONDS)

    def _no_changes(self) -> Changes:
        return {self.components.status: gr.skip()}  # Gradio rejects an empty dictionary

    def _as_html(self, error: Exception) -> str:
        return escape(self.store.public_message(error), quote=False)


def _sent(event: gr.EventData, name: str, kind: Callable[[Any], Any]) -> Any:
    """A value sent by the page, which may be anything."""
    try:
        return kind(getattr(event, name))
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise gr.Error(f"the page sent no {name}: reload it", print_exception=False) from None
