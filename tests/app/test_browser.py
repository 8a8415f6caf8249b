"""The page in a real browser: open, draw, propagate, scrub, correct, download, reload; it contacts no other machine.

Screenshots lie in the folder that VOSMEM_SCREENSHOTS names, else in pytest's own.
"""

import os
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.discs import overlap, two_discs
from tests.segmentation.made import write_frames
from vosmem.app.serve import free_port, private_folder, serving
from vosmem.app.session_store import SessionStore
from vosmem.app.uploads import Limits
from vosmem.inference.engine.engine import Engine
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.networks import STM

gradio = pytest.importorskip("gradio", reason="the page needs Gradio: pip install 'vosmem[app]'")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="a browser is driven by Playwright: pip install playwright"
)

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-core checks the page: pip install axe-playwright-python"
)

CHROMIUM = os.environ.get("VOSMEM_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium, or set VOSMEM_CHROMIUM"),
    pytest.mark.filterwarnings("ignore"),  # of Gradio's own
]
WAIT = 60_000  # milliseconds; a busy machine is slow, not wrong
COUNT = 6


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with a tiny network."""
    torch.manual_seed(0)
    widths = {"key_channels": 8, "value_channels": 8, "decoder_channels": 8}
    segmenter = Segmenter(STM(backbone="resnet10", **widths, weights="none"), Engine(torch.device("cpu")))
    with private_folder(tmp_path_factory.mktemp("app")) as folder:
        yield SessionStore(folder, segmenter, Limits(upload_mb=5), 64, {"weights": "tiny.ckpt"})


@pytest.fixture(scope="module")
def address(store):
    """The address of the page."""
    with serving(store, "127.0.0.1", free_port("127.0.0.1", 0)) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shots(tmp_path_factory) -> Path:
    folder = Path(os.environ.get("VOSMEM_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_page(browser, address):
    """Opens the page in a new window; the test fails after a page error or a request to another machine."""
    faults, contexts = [], []

    def open_page(width=1440, height=900, scheme="light", phone=False):
        options = {"is_mobile": True, "has_touch": True} if phone else {}
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True, **options
        )
        contexts.append(context)
        context.set_default_timeout(WAIT)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(error.stack))
        page.on("response", lambda answer: answer.status >= 400 and faults.append(f"{answer.status} {answer.url}"))
        page.on("request", lambda ask: ask.url.startswith((address, "data:", "blob:")) or faults.append(ask.url))
        page.goto(address)
        says(page, "Open a video")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> list[Path]:
    """Frames of two discs."""
    folder = tmp_path_factory.mktemp("video")
    write_frames(folder / "frames", folder / "mask.png", COUNT, (60, 96))
    return sorted((folder / "frames").iterdir())


def upload(page, paths):
    """Upload files once the previous upload is gone from the page, as a person has to."""
    playwright.expect(page.locator("#upload")).to_contain_text("Drop File Here", timeout=WAIT)
    page.locator("#upload input[type=file]").set_input_files(paths)


def drag(page, start, end):
    """Draw on the canvas between two points, given as fractions of its sides."""
    box = page.locator("#canvas canvas").bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=6)
    page.mouse.up()


def says(page, text):
    playwright.expect(page.locator("#status")).to_contain_text(text, timeout=WAIT)


def shows(page, t):
    playwright.expect(page.locator(f"#canvas [data-frame='{t}']")).to_have_count(1, timeout=WAIT)


def taken(page, button) -> Path:
    with page.expect_download(timeout=WAIT) as download:
        page.locator(button).click()
    return download.value


def test_from_an_upload_to_masks_on_disk(open_page, shots, video, tmp_path):
    page = open_page()
    page.screenshot(path=shots / "empty.png")
    upload(page, video)
    says(page, "Mark an object")
    page.get_by_role("button", name="Brush").click()
    drag(page, (0.2, 0.3), (0.4, 0.5))
    says(page, "1 object marked")
    page.get_by_role("button", name="Object 2").click()
    drag(page, (0.7, 0.7), (0.8, 0.7))
    says(page, "2 objects marked")
    page.screenshot(path=shots / "marked.png")
    page.locator("#propagate").click()
    says(page, f"All {COUNT} frames have masks")
    page.screenshot(path=shots / "found.png", full_page=True)
    page.locator("#frame input[type=range]").fill("2")
    shows(page, 2)
    page.locator("#charts [data-go]").first.click()
    download = taken(page, "#masks")
    download.save_as(tmp_path / "masks.zip")
    with zipfile.ZipFile(tmp_path / "masks.zip") as archive:
        assert archive.namelist() == [f"masks/{path.stem}.png" for path in video]
        with archive.open(archive.namelist()[0]) as file:
            ids = np.asarray(Image.open(file))
    assert ids.shape == (60, 96)
    assert ids[24, 29] == 1 and ids[42, 72] == 2 and ids[5, 90] == 0
    page.reload()
    says(page, f"All {COUNT} frames have masks")
    playwright.expect(page.locator("#canvas img")).to_be_visible()


def test_a_bad_upload_is_reported_and_the_page_still_works(open_page, shots, video, tmp_path):
    page = open_page()
    (tmp_path / "bad.mp4").write_bytes(b"this is no video")
    upload(page, tmp_path / "bad.mp4")
    toast = page.locator(".toast-body")
    playwright.expect(toast).to_contain_text("video 'bad.mp4' cannot be read", timeout=WAIT)
    playwright.expect(toast).not_to_contain_text("Traceback")
    page.wait_for_timeout(500)  # until it has faded in
    page.screenshot(path=shots / "bad_upload.png")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../<b>x</b>.png", b"")
    upload(page, tmp_path / "bad.zip")
    playwright.expect(toast.last).to_contain_text("the path '../<b>x</b>.png', which leads elsewhere", timeout=WAIT)
    upload(page, video)
    says(page, "Mark an object")


def click(page, x, y, button="left"):
    """Click on the canvas at fractions of its sides, and wait for the answer."""
    box = page.locator("#canvas canvas").bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"], button=button)
    playwright.expect(page.locator("#canvas .editor.busy")).to_have_count(0, timeout=WAIT)


def test_two_clicks_make_a_mask_a_third_corrects_it_and_keys_play_it(open_page, store, shots, tmp_path, no_refinement):
    picture, discs = two_discs()
    for t in range(COUNT):
        Image.fromarray(picture).save(tmp_path / f"{t}.png")
    page = open_page()
    upload(page, sorted(tmp_path.iterdir()))
    says(page, "Mark an object")
    click(page, 0.28, 0.5)
    says(page, "1 object marked")
    click(page, 0.72, 0.5)
    playwright.expect(page.locator("#canvas .notes")).to_contain_text("object 1 has a predicted quality", timeout=WAIT)
    (session,) = (own for own in store._sessions.values() if own.is_open and own.project.frames.size == (140, 80))
    assert overlap(session.project.ids(0) > 0, discs[0] | discs[1]) > 0.9
    click(page, 0.72, 0.5, "right")
    click(page, 0.66, 0.5, "right")
    assert overlap(session.project.ids(0) > 0, discs[0]) > 0.9
    page.screenshot(path=shots / "clicked.png")
    page.keyboard.press("2")
    page.keyboard.press("v")
    page.keyboard.press("c")
    click(page, 0.72, 0.5)
    says(page, "2 objects marked")
    page.keyboard.press("z")
    says(page, "1 object marked")
    page.locator("#canvas .name").fill("red disc")
    page.locator("#canvas .name").press("Enter")
    playwright.expect(page.get_by_role("button", name="Object 2, red disc")).to_have_count(1, timeout=WAIT)
    page.locator("#canvas .name").blur()
    page.locator("#propagate").click()
    says(page, f"All {COUNT} frames have masks")
    page.locator("#canvas .caption").click()
    page.keyboard.press("ArrowLeft")
    shows(page, COUNT - 2)
    page.evaluate(
        "window.played = []; new MutationObserver(() => played.push(document.querySelector('#canvas [data-frame]')"
        ".dataset.frame)).observe(document.body, {subtree: true, attributeFilter: ['data-frame']})"
    )
    for _ in range(2):  # to the end, and from the start
        page.keyboard.press("Space")
        shows(page, COUNT - 1)
        playwright.expect(page.get_by_role("button", name="Play")).to_have_count(1, timeout=WAIT)
    page.wait_for_function(f"played.length == {COUNT + 1}")
    assert page.evaluate("played") == [str(t) for t in (COUNT - 1, *range(COUNT))]


def test_zoom_keeps_points_where_they_are_set_and_the_keyboard_sets_points(open_page, store, tmp_path, no_refinement):
    picture, discs = two_discs()
    Image.fromarray(picture).save(tmp_path / "only.png")
    page = open_page()
    upload(page, tmp_path / "only.png")
    says(page, "Mark an object")
    before = page.locator("#canvas canvas").bounding_box()
    page.mouse.move(before["x"] + 0.7 * before["width"], before["y"] + 0.5 * before["height"])
    page.mouse.wheel(0, -300)
    page.wait_for_function(
        f"document.querySelector('#canvas canvas').getBoundingClientRect().width > {before['width']}"
    )
    click(page, 0.714, 0.5)
    says(page, "1 object marked")
    (session,) = (own for own in store._sessions.values() if own.is_open and len(own.project.frames) == 1)
    assert overlap(session.project.ids(0) > 0, discs[1]) > 0.9
    page.keyboard.press("0")
    assert page.locator("#canvas canvas").bounding_box() == before
    page.keyboard.press("2")
    page.locator("#canvas canvas").focus()
    for _ in range(7):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    says(page, "2 objects marked")
    assert overlap(session.project.ids(0) == 2, discs[0]) > 0.9


@pytest.mark.slow
def test_box_erase_undo_correct_and_every_download(open_page, shots, tmp_path):
    page = open_page()
    page.get_by_role("button", name="One cup").click()
    says(page, "1 object marked")
    page.get_by_role("button", name="Clear frame").click()
    says(page, "Mark an object")
    page.get_by_role("button", name="Undo").click()
    says(page, "1 object marked")
    page.get_by_role("button", name="Clear frame").click()
    says(page, "Mark an object")
    page.get_by_role("button", name="Box").click()
    drag(page, (0.27, 0.2), (0.57, 0.85))
    says(page, "1 object marked")
    page.screenshot(path=shots / "box.png")
    drag(page, (0.5, 0.5), (0.5, 0.5))
    playwright.expect(page.locator(".toast-body")).to_contain_text("box", timeout=WAIT)
    page.locator("#propagate").click()
    says(page, "All 32 frames have masks")
    page.locator("#frame input[type=range]").fill("8")
    shows(page, 8)
    page.get_by_role("button", name="Brush").click()
    drag(page, (0.1, 0.5), (0.9, 0.5))
    page.get_by_role("button", name="Erase").click()
    drag(page, (0.5, 0.4), (0.5, 0.6))
    playwright.expect(page.locator("#canvas .caption")).to_contain_text("mask given")
    page.locator("#again").click()
    shows(page, 31)
    says(page, "All 32 frames have masks")
    for button, suffix in (("#masks", ".zip"), ("#overlay", ".mp4"), ("#report", ".html")):
        assert taken(page, button).suggested_filename.endswith(suffix)


class Slow:
    """A slow method."""

    def __init__(self, method):
        self.method = method

    def step(self, frame, mask=None, *, absent=()):
        time.sleep(0.2)
        return self.method.step(frame, mask, absent=absent)


@pytest.mark.slow
def test_a_reload_stops_a_propagation_and_keeps_results(open_page, store, monkeypatch):
    make = store.segmenter.propagator
    monkeypatch.setattr(store.segmenter, "propagator", lambda **options: Slow(make(**options)))
    page = open_page()
    page.get_by_role("button", name="One cup").click()
    says(page, "1 object marked")
    page.locator("#propagate").click()
    says(page, "of 32, ")
    page.reload()
    says(page, "of 32 frames have masks")
    page.locator("#propagate").click()
    says(page, "of 32, ")


@pytest.mark.slow
def test_stop_ends_a_propagation(open_page, shots, store, monkeypatch):
    make = store.segmenter.propagator
    monkeypatch.setattr(store.segmenter, "propagator", lambda **options: Slow(make(**options)))
    page = open_page()
    page.get_by_role("button", name="Two objects").click()
    says(page, "2 objects marked")
    page.locator("#propagate").click()
    says(page, "of 32, ")
    page.screenshot(path=shots / "running.png")
    page.locator("#stop").click()
    says(page, "of 32 frames have masks")
    playwright.expect(page.locator("#propagate")).to_be_enabled(timeout=WAIT)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("device", "size"), [("desktop", (1440, 900)), ("phone", (390, 844))])
def test_layout_on_desktop_and_phone(open_page, shots, device, size, scheme):
    """The page fits the width of the window, and axe-core finds no fault. The screenshots are for a person."""
    page = open_page(*size, scheme, phone=device == "phone")
    page.screenshot(path=shots / f"{device}_{scheme}_empty.png", full_page=True)
    page.get_by_role("button", name="Two objects").click()
    says(page, "2 objects marked")
    page.locator("#propagate").click()
    says(page, "All 32 frames have masks")
    page.locator("#frame input[type=range]").fill("12")
    shows(page, 12)
    page.wait_for_timeout(300)
    page.screenshot(path=shots / f"{device}_{scheme}_found.png", full_page=True)
    faults = axe.Axe().run(page).response["violations"]
    assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in faults] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
