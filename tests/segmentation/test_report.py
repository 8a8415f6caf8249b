"""The report of a video loads nothing, and shows the results."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tests.segmentation.made import opened, write_user_video
from vosmem.inference.output.mask_writer import write_labels
from vosmem.inference.sequences.confidence import Check, ObjectConfidence
from vosmem.segmentation import report
from vosmem.segmentation.report import write_report
from vosmem.visualization.confidence_chart import MOST_POINTS, confidence_chart
from vosmem.visualization.video import write_video


@pytest.fixture
def video(tmp_path):
    root = write_user_video(tmp_path, ids=(3, 200), name="a<b> & $c")
    for t in range(5):
        write_labels(tmp_path / "masks" / f"{t:03d}.png", np.zeros((33, 47), np.uint8))
    return opened(root, "a<b> & $c")


def rows(lost_at=()):
    return [ObjectConfidence(t, slot, 10, 0.9, 0.1, (t, slot) in lost_at, False) for t in range(5) for slot in (1, 2)]


class Balanced(HTMLParser):
    """Checks that tags match, and collects the addresses that a browser would load."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.fetched += [value for name, value in attributes if name in ("src", "href", "data", "poster")]

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page(folder, video, *arguments):
    write_report(folder / "report.html", video, *arguments)
    text = (folder / "report.html").read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    return text, parser.fetched


def test_the_page_loads_nothing_and_escapes_names(tmp_path, video):
    write_video([np.zeros((16, 16, 3), np.uint8)] * 5, tmp_path / "overlay.mp4", 24)
    checks = [Check(1, 1, "lost", 0.5), Check(1, 2, "jump", 0.4), Check(4, 2, "uncertain", 0.3)]
    text, fetched = page(tmp_path, video, rows(), checks, {"weights": "<script>.ckpt"})
    assert all(source.startswith("data:") for source in fetched) and len(fetched) == 3  # two frames and the video
    assert "<title>a&lt;b&gt; &amp; $c</title>" in text and "&lt;script&gt;.ckpt" in text
    assert not re.search(r"https?://|@import|url\(", text)
    assert "object 200" in text and text.count('data-time="') == 2


def test_thumbnails_are_pictures_of_the_frames(tmp_path, video):
    text, _ = page(tmp_path, video, rows(), [Check(2, 1, "uncertain", 0.5)], {})
    jpeg = base64.b64decode(re.search(r"data:image/jpeg;base64,([^\"]+)", text)[1])
    (tmp_path / "thumbnail.jpg").write_bytes(jpeg)
    picture = np.asarray(Image.open(tmp_path / "thumbnail.jpg")).astype(int)
    frame = video.frame(2).permute(1, 2, 0).numpy()
    assert picture.shape == frame.shape and np.abs(picture - frame).mean() < 16
    assert "<button" not in text and "<video" not in text  # there is no video to jump in


def test_a_large_video_is_linked_instead_of_embedded(tmp_path, video, monkeypatch):
    write_video([np.zeros((16, 16, 3), np.uint8)], tmp_path / "overlay.mp4", 24)
    monkeypatch.setattr(report, "MAX_EMBEDDED_BYTES", 100)
    assert page(tmp_path, video, rows(), [], {})[1] == ["overlay.mp4"]


def test_lost_objects_are_listed_first(tmp_path, video):
    assert "No object was lost." in page(tmp_path, video, rows(), [], {})[0]
    text, _ = page(tmp_path, video, rows(lost_at=[(3, 2), (4, 2)]), [], {})
    assert "Lost in some frames: object 200." in text and "lost in 2 frames" in text
    assert text.count('<rect class="lost"') == 1


def test_entries_that_are_not_set_are_left_out(tmp_path, video):
    about = {"inference": {"short_side": None, "flip": False, "device": "cpu", "rle": True}, "notes": []}
    text, _ = page(tmp_path, video, rows(), [], json.loads(json.dumps(about)))
    assert "<td>device cpu, rle</td>" in text and "<th>notes</th>" not in text


def test_a_video_without_any_object_found_has_a_page(tmp_path, video):
    empty = [row._replace(area=0, mean_probability=None, lost=True) for row in rows()]
    assert "never found" in page(tmp_path, video, empty, [], {})[0]


def test_consecutive_lost_frames_are_one_band():
    chart = confidence_chart(range(5), [0.9] * 5, [5] * 5, [True, False, True, True, False], 5)
    bands = re.findall(r'<rect class="lost" x="([-.0-9]+)" y="0" width="([.0-9]+)"', chart)
    assert bands == [("-125.0", "250.0"), ("375.0", "500.0")]


def test_a_long_curve_keeps_its_dips():
    count = 10 * MOST_POINTS
    probabilities = [0.9] * count
    probabilities[1234] = 0.1
    chart = confidence_chart(range(count), probabilities, [5] * count, [False] * count, count)
    points = re.search(r'class="line" points="([^"]+)"', chart)[1].split()
    heights = [float(point.split(",")[1]) for point in points]
    assert len(points) == MOST_POINTS and max(heights) == pytest.approx(90) and min(heights) == pytest.approx(10)
