"""The layout of the page, and the event handler of each component."""

from functools import partial
from importlib import resources
from typing import Any

import gradio as gr

from vosmem.app.events import Components, Events
from vosmem.app.examples import EXAMPLES
from vosmem.app.session_store import SessionStore
from vosmem.data.decoding.images import IMAGE_SUFFIXES
from vosmem.inputs.mask_source import MASK_SUFFIXES
from vosmem.inputs.picture_folder import VIDEO_SUFFIXES
from vosmem.segmentation.formats.registry import FORMATS

SANS, MONO = (
    ("system-ui", "sans-serif"),
    ("ui-monospace", "monospace"),
)  # local fonts: none is downloaded
UPLOADS = [*VIDEO_SUFFIXES, ".zip", *IMAGE_SUFFIXES]
DOWNLOAD_FILE = "() => setTimeout(() => document.querySelector('#file a, #file').click(), 150)"
HEADER = "<header><h1>vosmem</h1><p>Click on an object; a memory network finds it in all frames.</p></header>"


def read_asset(name: str) -> str:
    """The text of an HTML, JavaScript or CSS file of this package."""
    return resources.files("vosmem.app").joinpath(name).read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Colours and fonts of the page."""
    base = gr.themes.Default(
        primary_hue="blue", neutral_hue="stone", radius_size="md", font=list(SANS), font_mono=list(MONO)
    )
    return base.set(  # Gradio's own has too little contrast
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
    )


def make_page(store: SessionStore) -> gr.Blocks:
    """The page over the sessions of a store."""
    with gr.Blocks(title="vosmem", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=True) as page:
        gr.HTML(HEADER, elem_id="header")
        components, examples = _lay_out()
        _connect(page, Events(store, components), components, examples)
    return page


def _lay_out() -> tuple[Components, dict[str, gr.Button]]:
    key = gr.BrowserState(None, storage_key="vosmem_session")
    with gr.Column(elem_id="work"):
        with gr.Accordion("Video", elem_id="open") as opener:
            gr.HTML('<p class="faint">A video, a zip of frames, or the frames as pictures</p>')
            upload = gr.File(file_count="multiple", file_types=UPLOADS, height=135, show_label=False, elem_id="upload")
            gr.HTML('<p class="faint">or an example</p>')
            with gr.Row(elem_id="examples"):
                examples = {name: gr.Button(name, size="sm", min_width=90) for name in EXAMPLES}
        with gr.Column(elem_id="view"):
            canvas = gr.HTML(
                None,
                html_template=read_asset("canvas.html"),
                js_on_load=read_asset("canvas.js") + read_asset("player.js"),
                apply_default_css=False,
                elem_id="canvas",
            )
            frame = gr.Slider(0, 1, 0, step=1, label="Frame", visible=False, buttons=[], elem_id="frame")
        with gr.Column(elem_id="run"):
            status = gr.HTML("", elem_id="status")
            choices = [("Forward", "forward"), ("Backward", "backward"), ("Both", "both")]
            direction = gr.Radio(choices, value="forward", label="From the masks", elem_id="direction")
            propagate = gr.Button("Propagate", variant="primary", interactive=False, elem_id="propagate")
            stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop")
            again = gr.Button("Propagate from this frame", size="sm", interactive=False, elem_id="again")
            load_mask = gr.UploadButton(
                "Load a mask for this frame",
                file_types=[*MASK_SUFFIXES, ".zip"],
                size="sm",
                interactive=False,
                elem_id="load",
            )
        charts = gr.HTML("", js_on_load=read_asset("charts.js"), apply_default_css=False, elem_id="charts")
        with gr.Column(elem_id="downloads"):
            gr.HTML('<p class="faint">Export</p>')
            with gr.Row():
                names = {"masks": "Masks", "overlay": "Overlay video", "report": "Report"}
                downloads = [
                    gr.Button(text, size="sm", min_width=80, interactive=False, elem_id=name)
                    for name, text in names.items()
                ]
            with gr.Row():
                offered = [name for name in FORMATS if name not in names]
                form = gr.Dropdown(
                    offered,
                    value="coco",
                    label="Format",
                    show_label=False,
                    container=False,
                    min_width=120,
                    elem_id="format",
                )
                downloads.append(gr.Button("Export", size="sm", min_width=80, interactive=False, elem_id="formatted"))
            file = gr.DownloadButton(visible="hidden", elem_id="file")
    components = Components(
        *(key, opener, upload, canvas, frame, charts, direction, propagate, again, stop, status, load_mask),
        tuple(downloads),
        form,
        file,
    )
    return components, examples


def _connect(page: gr.Blocks, events: Events, components: Components, examples: dict[str, gr.Button]) -> None:
    key, frame, canvas, outputs = components.key, components.frame, components.canvas, components.outputs
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    page.load(events.enter, key, outputs, **quiet)
    loading: dict[str, Any] = {"api_visibility": "private", "show_progress_on": canvas}
    # "multiple": an upload is not dropped while the one before is being answered.
    components.upload.upload(events.upload, [key, components.upload], outputs, trigger_mode="multiple", **loading)
    for name, button in examples.items():
        button.click(partial(events.example, name=name), key, outputs, **loading)
    frame.input(events.scrub, [key, frame], outputs, trigger_mode="always_last", **quiet)
    for part in (canvas, components.charts):
        part.go(events.go, key, outputs, trigger_mode="always_last", **quiet)
    # Processed one after the other, in drawing order.
    drawing: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_limit": 1, "concurrency_id": "drawing", **quiet}
    canvas.stroke(events.stroke, key, outputs, **drawing)
    canvas.rename(events.rename, key, outputs, **drawing)
    canvas.clear(events.clear, key, outputs, **drawing)
    canvas.undo(events.undo, key, outputs, **drawing)
    # Of points that are set while a mask is made, only the last, which has the others, is answered.
    canvas.mark(events.mark, key, outputs, **{**drawing, "trigger_mode": "always_last"})
    components.load_mask.upload(events.load_mask, [key, frame, components.load_mask], outputs, **quiet)
    running: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "network", **quiet}
    components.propagate.click(events.propagate, [key, components.direction], outputs, **running)
    components.again.click(events.again, [key, frame], outputs, **running)
    components.stop.click(events.stop, key, None, **quiet)
    makers = (events.masks_file, events.overlay_file, events.report_file, events.format_file)
    for button, make in zip(components.downloads, makers, strict=True):
        given = [key, components.form] if make == events.format_file else key
        clicked = button.click(make, given, components.file, api_visibility="private", show_progress_on=button)
        clicked.success(None, None, None, js=DOWNLOAD_FILE, api_visibility="private")
