"""The page: what stands where, and which event belongs to which part."""

from functools import partial
from importlib import resources
from typing import Any

import gradio as gr

from vosmem.app.events import Events
from vosmem.app.examples import EXAMPLES
from vosmem.app.page_parts import Parts
from vosmem.app.session_store import SessionStore
from vosmem.data.decoding.images import IMAGE_SUFFIXES
from vosmem.inputs.picture_folder import VIDEO_SUFFIXES

SANS, MONO = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")  # of the machine: no font is fetched
UPLOADS = [*VIDEO_SUFFIXES, ".zip", *IMAGE_SUFFIXES]
TAKE_FILE = "() => setTimeout(() => document.querySelector('#file a, #file').click(), 150)"
HEADER = (
    "<header><h1>vosmem</h1><p>Mark an object in one frame; a memory network finds it in all the others.</p></header>"
)


def read_part(name: str) -> str:
    """A file of this package that is part of the page."""
    return resources.files("vosmem.app").joinpath(name).read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Calm colours and the machine's own fonts."""
    return gr.themes.Default(
        primary_hue="blue", neutral_hue="stone", radius_size="md", font=list(SANS), font_mono=list(MONO)
    )


def make_page(studio: SessionStore) -> gr.Blocks:
    """The page of a studio.

    Args:
        studio: whose sessions it works on.
    """
    with gr.Blocks(title="vosmem", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=True) as page:
        gr.HTML(HEADER, elem_id="header")
        parts, examples = _lay_out()
        _connect(page, Events(studio, parts), parts, examples)
    return page


def _lay_out() -> tuple[Parts, dict[str, gr.Button]]:
    key = gr.BrowserState(None, storage_key="vosmem_session")
    with gr.Column(elem_id="work"):
        with gr.Accordion("Video", elem_id="open") as opener:
            gr.HTML('<p class="faint">A video, a zip of frames, or the frames as pictures</p>')
            upload = gr.File(file_count="multiple", file_types=UPLOADS, height=135, show_label=False, elem_id="upload")
            gr.HTML('<p class="faint">or an example</p>')
            with gr.Row(elem_id="examples"):
                examples = {name: gr.Button(name, size="sm", min_width=90) for name in EXAMPLES}
        with gr.Column(elem_id="view"):
            stage = gr.HTML(
                None,
                html_template=read_part("stage.html"),
                js_on_load=read_part("stage.js"),
                apply_default_css=False,
                elem_id="stage",
            )
            frame = gr.Slider(0, 1, 0, step=1, label="Frame", visible=False, buttons=[], elem_id="frame")
        with gr.Column(elem_id="run"):
            status = gr.HTML("", elem_id="status")
            choices = [("Forward", "forward"), ("Backward", "backward"), ("Both", "both")]
            direction = gr.Radio(choices, value="forward", label="From the masks", elem_id="direction")
            propagate = gr.Button("Propagate", variant="primary", interactive=False, elem_id="propagate")
            stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop")
            again = gr.Button("Again from this frame", size="sm", interactive=False, elem_id="again")
            load_mask = gr.UploadButton(
                "Load a mask for this frame",
                file_types=[*IMAGE_SUFFIXES, ".json"],
                size="sm",
                interactive=False,
                elem_id="load",
            )
        charts = gr.HTML("", js_on_load=read_part("charts.js"), apply_default_css=False, elem_id="charts")
        with gr.Column(elem_id="take"):
            gr.HTML('<p class="faint">Take away</p>')
            with gr.Row():
                names = {"masks": "Masks", "overlay": "Overlay", "report": "Report"}
                downloads = [
                    gr.Button(text, size="sm", min_width=80, interactive=False, elem_id=name)
                    for name, text in names.items()
                ]
            file = gr.DownloadButton(visible="hidden", elem_id="file")
    parts = Parts(
        *(key, opener, upload, stage, frame, charts, direction, propagate, again, stop, status, load_mask),
        (downloads[0], downloads[1], downloads[2]),
        file,
    )
    return parts, examples


def _connect(page: gr.Blocks, events: Events, parts: Parts, examples: dict[str, gr.Button]) -> None:
    key, frame, outputs = parts.key, parts.frame, parts.changing
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    page.load(events.enter, key, outputs, **quiet)
    loading: dict[str, Any] = {"api_visibility": "private", "show_progress_on": parts.stage}
    # Not dropped where the one before is still being answered.
    parts.upload.upload(events.upload, [key, parts.upload], outputs, trigger_mode="multiple", **loading)
    for name, button in examples.items():
        button.click(partial(events.example, name=name), key, outputs, **loading)
    frame.input(events.scrub, [key, frame], outputs, trigger_mode="always_last", **quiet)
    parts.charts.go(events.go, key, outputs, trigger_mode="always_last", **quiet)
    # One after the other, in the order of drawing.
    drawing: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_limit": 1, "concurrency_id": "drawing", **quiet}
    parts.stage.stroke(events.stroke, key, outputs, **drawing)
    parts.stage.box(events.box, key, outputs, **drawing)
    parts.stage.clear(events.clear, key, outputs, **drawing)
    parts.stage.undo(events.undo, key, outputs, **drawing)
    parts.load_mask.upload(events.load_mask, [key, frame, parts.load_mask], outputs, **quiet)
    running: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "network", **quiet}
    parts.propagate.click(events.propagate, [key, parts.direction], outputs, **running)
    parts.again.click(events.again, [key, frame], outputs, **running)
    parts.stop.click(events.stop, key, None, **quiet)
    makers = (events.masks_file, events.overlay_file, events.report_file)
    for button, make in zip(parts.downloads, makers, strict=True):
        made = button.click(make, key, parts.file, api_visibility="private", show_progress_on=button)
        made.success(None, None, None, js=TAKE_FILE, api_visibility="private")
