"""What happens on the page: each event asks a session for something, and says which parts of the page change."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from vosmem.app import views
from vosmem.app.examples import write_example
from vosmem.app.page_parts import Parts
from vosmem.app.session import SECONDS_TO_END, Session
from vosmem.app.session_store import SessionStore
from vosmem.errors import InputError

Changes = dict[Any, Any]
MESSAGE_SECONDS = 12


class Events:
    """The events of one page.

    Args:
        studio: whose sessions they work on.
        parts: of the page.
    """

    def __init__(self, studio: SessionStore, parts: Parts):
        self.studio, self.parts = studio, parts

    def enter(self, key: str | None) -> Changes:
        """A page was loaded, perhaps again."""
        try:
            key = self.studio.enter(key)
            session = self.studio.session(key)
            session.stop(SECONDS_TO_END)  # a reloaded page no longer watches the old job
            folded = {self.parts.opener: gr.Accordion(open=not session.is_open)}
            return {self.parts.key: key, **folded, **self._everything(session, 0)}
        except (InputError, OSError) as error:
            self._tell(error)
            # Nothing works without a visit, so the reason stays after the message is gone.
            return {self.parts.status: views.line(self.studio.told(error))}

    def upload(self, key: str | None, paths: Sequence[str] | None) -> Changes:
        """Files were dropped or chosen."""
        if not paths:
            return self._nothing()
        return self._opened(key, lambda session: session.open([Path(path) for path in paths]))

    def example(self, key: str | None, name: str) -> Changes:
        """An example was chosen."""
        return self._opened(key, lambda session: session.open_example(lambda folder: write_example(name, folder)))

    def scrub(self, key: str | None, t: int) -> Changes:
        """Another frame is to be shown."""
        return self._changed(key, t, lambda session: None, lambda session: {})

    def go(self, key: str | None, event: gr.EventData) -> Changes:
        """A frame was chosen in the charts."""
        t = _sent(event, "t", int)
        return self._changed(key, t, lambda session: None, lambda session: {self.parts.frame: t})

    def stroke(self, key: str | None, event: gr.EventData) -> Changes:
        """A stroke was drawn."""
        t, number, radius = _sent(event, "t", int), _sent(event, "number", int), _sent(event, "radius", float)
        return self._drawn(key, t, lambda session: session.draw(t, number, _sent(event, "points", list), radius))

    def box(self, key: str | None, event: gr.EventData) -> Changes:
        """A box was drawn."""
        t, number = _sent(event, "t", int), _sent(event, "number", int)
        return self._drawn(key, t, lambda session: session.draw_box(t, number, _sent(event, "box", list)))

    def clear(self, key: str | None, event: gr.EventData) -> Changes:
        """The mask of a frame is to be forgotten."""
        t = _sent(event, "t", int)
        return self._drawn(key, t, lambda session: session.clear(t))

    def undo(self, key: str | None, event: gr.EventData) -> Changes:
        """The last change is to be taken back, wherever it was."""
        return self._moved(key, _sent(event, "t", int), Session.undo)

    def load_mask(self, key: str | None, t: int, path: str | None) -> Changes:
        """A mask file was chosen for the frame that is shown."""
        if path is None:
            return self._nothing()
        return self._moved(key, t, lambda session: session.load_masks(Path(path), t))

    def propagate(self, key: str | None, direction: str) -> Iterator[Changes]:
        """The objects are to be followed through the video."""
        yield from self._propagated(key, direction, 0, None)

    def again(self, key: str | None, t: int) -> Iterator[Changes]:
        """They are to be followed anew from the frame that is shown."""
        yield from self._propagated(key, "forward", t, t)

    def stop(self, key: str | None) -> None:
        """The propagation is to be stopped."""
        with suppress(InputError):
            self.studio.session(key).stop()

    def masks_file(self, key: str | None) -> str:
        """The masks are to be taken away."""
        return self._file(key, Session.masks_file)

    def overlay_file(self, key: str | None) -> str:
        """The overlay video is to be taken away."""
        return self._file(key, Session.overlay_file)

    def report_file(self, key: str | None) -> str:
        """The report is to be taken away."""
        return self._file(key, lambda session: session.report_file(self.studio.about))

    def _opened(self, key: str | None, step: Callable[[Session], None]) -> Changes:
        """Everything is new, and the place to open videos folds away."""
        try:
            session = self.studio.session(key)
            step(session)
            shown = self._everything(session, 0)  # fails where another tab opens another video
        except (InputError, OSError) as error:
            self._tell(error)
            return {self.parts.upload: None}
        return {self.parts.upload: None, self.parts.opener: gr.Accordion(open=False), **shown}

    def _drawn(self, key: str | None, t: int, step: Callable[[Session], Any]) -> Changes:
        return self._changed(key, t, step, lambda session: {self.parts.status: views.status(session)})

    def _moved(self, key: str | None, t: int, step: Callable[[Session], int | None]) -> Changes:
        """A step that says which frame it changed; that one is shown then."""
        try:
            session = self.studio.session(key)
            changed = step(session)
            return self._everything(session, t if changed is None else changed)
        except (InputError, OSError) as error:
            self._tell(error)
            return self._nothing()

    def _changed(
        self, key: str | None, t: int, step: Callable[[Session], Any], more: Callable[[Session], Changes]
    ) -> Changes:
        """A step on a frame, which is shown anew even if the step fails: a sketch of it may stand there."""
        try:
            session = self.studio.session(key)
            try:
                step(session)
            except (InputError, OSError) as error:
                self._tell(error)
            return {self.parts.stage: views.stage(session, t), **more(session)}
        except (InputError, OSError) as error:
            self._tell(error)
            return self._nothing()

    def _propagated(self, key: str | None, direction: str, t: int, start: int | None) -> Iterator[Changes]:
        try:
            session = self.studio.session(key)
        except InputError as error:
            self._tell(error)
            return
        began = time.monotonic()
        try:
            for at in session.propagate(direction, start):
                t = t if at.t is None else at.t
                moved = {
                    self.parts.stage: views.stage(session, t),
                    self.parts.frame: gr.Slider(value=t, interactive=False),
                }
                yield {**moved, **self._buttons(session), self.parts.status: views.pace(at, time.monotonic() - began)}
        except (InputError, OSError) as error:
            self._tell(error)
        yield self._moved(key, t, lambda session: t)

    def _file(self, key: str | None, make: Callable[[Session], Path]) -> str:
        try:
            return str(make(self.studio.session(key)))
        except (InputError, OSError) as error:
            raise gr.Error(self._text(error), duration=MESSAGE_SECONDS, print_exception=False) from error

    def _everything(self, session: Session, t: int) -> Changes:
        count = len(session.project.frames) if session.is_open else 1
        slider = gr.Slider(maximum=max(1, count - 1), value=t, interactive=count > 1, visible=session.is_open)
        return {
            self.parts.stage: views.stage(session, t),
            self.parts.frame: slider,
            self.parts.charts: views.charts(session),
            self.parts.status: views.status(session),
            **self._buttons(session),
        }

    def _buttons(self, session: Session) -> Changes:
        rests = session.is_open and not session.is_working
        found = rests and bool(session.project.results.done)
        return {
            self.parts.propagate: gr.Button(interactive=rests, visible=not session.is_working),
            self.parts.stop: gr.Button(visible=session.is_working),
            self.parts.again: gr.Button(interactive=found),
            self.parts.load_mask: gr.UploadButton(interactive=rests),
            **{button: gr.Button(interactive=found) for button in self.parts.downloads},
        }

    def _tell(self, error: Exception) -> None:
        gr.Warning(self._text(error), duration=MESSAGE_SECONDS)

    def _nothing(self) -> Changes:
        return {self.parts.status: gr.skip()}  # Gradio does not take an empty answer

    def _text(self, error: Exception) -> str:
        return escape(self.studio.told(error), quote=False)  # a message is taken for HTML


def _sent(event: gr.EventData, name: str, kind: Callable[[Any], Any]) -> Any:
    """A value that the page sent, which may be anything."""
    try:
        return kind(getattr(event, name))
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise gr.Error(f"the page sent no {name}: reload it", print_exception=False) from None
