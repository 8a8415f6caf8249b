"""The parts of the page that change."""

from typing import Any, NamedTuple

import gradio as gr


class Parts(NamedTuple):
    """Components by what they are for.

    Attributes:
        key: of the session, kept by the browser.
        opener: what videos are opened with, to be folded.
        upload: where files are dropped.
        stage: the canvas.
        frame: which frame is shown.
        charts: frames to check and curves.
        direction: of the propagation.
        propagate: starts it.
        again: starts it from the frame that is shown.
        stop: stops it.
        status: how things stand.
        load_mask: takes a mask file.
        downloads: masks, overlay and report.
        file: hands a file to the browser; not seen.
    """

    key: gr.BrowserState
    opener: gr.Accordion
    upload: gr.File
    stage: gr.HTML
    frame: gr.Slider
    charts: gr.HTML
    direction: gr.Radio
    propagate: gr.Button
    again: gr.Button
    stop: gr.Button
    status: gr.HTML
    load_mask: gr.UploadButton
    downloads: tuple[gr.Button, gr.Button, gr.Button]
    file: gr.DownloadButton

    @property
    def changing(self) -> list[Any]:
        """All that an event may change."""
        single = [part for name, part in self._asdict().items() if name not in ("downloads", "file")]
        return [*single, *self.downloads]
