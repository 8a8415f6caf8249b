"""The backend predicts brush masks as a stream finds them, asked and answered as Label Studio does."""

import io
import json
import urllib.request
from threading import Thread
from urllib.error import HTTPError

import numpy as np
import pytest
import torch
from PIL import Image

from integrations import label_studio
from tests.golden_video import video
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.inputs.annotations.label_studio import SHAPES
from vosmem.segmentation.formats.label_studio import brush_result

COUNT, SIZE, PROJECT = 6, (32, 48), 3
FRAMES, LABELS = video(COUNT, *SIZE, 2)
CONFIG = (
    '<View><Image name="photo" value="$url"/>'
    '<BrushLabels name="brush" toName="photo"><Label value="dog"/></BrushLabels></View>'
)


def annotation(t, updated_at="2026-01-01", **more):
    """Two regions of one label."""
    result = [brush_result(number, (LABELS[t] == number).astype(np.uint8)) for number in (1, 2)]
    for region in result:
        region["value"]["brushlabels"] = ["dog"]
    return {"result": result, "updated_at": updated_at, **more}


class Server:
    """What the backend reads of Label Studio; tasks are not in the order of their frames."""

    def __init__(self, annotations):
        names = {40 + t: f"/data/upload/3/0123abc{t}-{t}.png" for t in range(COUNT)}
        order = [44, 41, 40, 42, 45, 43]
        self.content = [
            {"id": number, "data": {"url": names[number]}, "annotations": annotations.get(number - 40, [])}
            for number in order
        ]
        self.content.append({"id": 50, "data": {"url": "/data/upload/4/0.png"}, "annotations": [annotation(0)]})
        self.pictures = 0

    def tasks(self, project, annotated):
        assert project == PROJECT
        return [task for task in self.content if task["annotations"] or not annotated]

    def get(self, path):
        self.pictures += 1
        buffer = io.BytesIO()
        Image.fromarray(FRAMES[int(path[-5])]).save(buffer, format="PNG")
        return buffer.getvalue()

    def task(self, t):
        return next(task for task in self.content if task["id"] == 40 + t)


@pytest.fixture
def segmenter(small_stm):
    return Segmenter(small_stm, Engine(torch.device("cpu")))


def masks(prediction):
    """The masks of a prediction by object number, as the reader of vosmem decodes them."""
    found = {}
    for region in prediction["result"]:
        assert (region["from_name"], region["to_name"], region["type"]) == ("brush", "photo", "brushlabels")
        assert region["value"]["brushlabels"] == ["dog"]
        found[int(region["id"][-1])] = SHAPES["brush"](region["value"], SIZE)(*SIZE)
    return found


def expected(segmenter, given, last):
    """The masks of frame `last` after these annotated frames and all frames after them."""
    stream = segmenter.stream(short_side=480)
    for t in given:
        stream.step(FRAMES[t], LABELS[t])
    for t in range(given[-1] + 1, last + 1):
        ids = stream.step(FRAMES[t]).ids.numpy()
    return {number: ids == number for number in (1, 2) if (ids == number).any()}


def equal(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def test_tasks_are_predicted_from_the_annotated_frames_before_them(segmenter):
    server = Server({0: [annotation(0)], 2: [annotation(2, was_cancelled=False)], 5: [annotation(5)]})
    backend = label_studio.Backend(server, segmenter)
    answer = backend.predict(PROJECT, CONFIG, [server.task(4), server.task(0), server.task(3), server.task(1)])
    for prediction, (given, t) in zip(answer, [([0, 2], 4), (None, 0), ([0, 2], 3), ([0], 1)], strict=True):
        assert prediction["model_version"] == "vosmem"
        assert equal(masks(prediction), expected(segmenter, given, t) if given else {})


def test_a_run_goes_on_until_an_annotation_changes(segmenter):
    server = Server({0: [annotation(0)]})
    backend = label_studio.Backend(server, segmenter)
    for t, pictures in ((1, 2), (2, 1), (2, 0), (1, 2), (3, 2)):
        before = server.pictures
        (prediction,) = backend.predict(PROJECT, CONFIG, [server.task(t)])
        assert server.pictures - before == pictures and equal(masks(prediction), expected(segmenter, [0], t))
    server.task(0)["annotations"] = [
        annotation(1, "2026-01-02"),
        annotation(0),
        annotation(2, "2026-01-03", was_cancelled=True),
    ]
    before = server.pictures
    backend.predict(PROJECT, CONFIG, [server.task(3)])
    assert server.pictures - before == 4


def test_requests_of_label_studio_are_answered(segmenter):
    server = Server({0: [annotation(0)]})
    backend = label_studio.Backend(server, segmenter)
    with label_studio.BackendServer(("127.0.0.1", 0), backend) as service:
        thread = Thread(target=service.serve_forever)
        thread.start()

        def ask(path, content=None):
            body = None if content is None else json.dumps(content).encode()
            url = f"http://127.0.0.1:{service.server_address[1]}/{path}"
            return json.load(urllib.request.urlopen(urllib.request.Request(url, body), timeout=60))

        try:
            assert ask("health")["status"] == "UP"
            assert ask("setup", {"project": "3.17", "schema": CONFIG}) == {"model_version": "vosmem"}
            request = {
                "tasks": [server.task(1)],
                "project": "3.17",
                "label_config": CONFIG,
                "params": {"context": None},
            }
            (prediction,) = ask("predict", request)["results"]
            assert equal(masks(prediction), expected(segmenter, [0], 1))
            with pytest.raises(HTTPError) as refused:
                ask("predict", {**request, "label_config": "<View/>"})
            assert "no BrushLabels" in json.load(refused.value)["error"]
        finally:
            service.shutdown()
            thread.join()


def test_only_pictures_on_servers_are_read():
    api = label_studio.ServerApi("http://127.0.0.1:9", "key")
    with pytest.raises(InputError, match=r"file:///etc/passwd is no address of a picture"):
        api.get("file:///etc/passwd")
    with pytest.raises(InputError, match=r"http://127.0.0.1:9/a.png cannot be read .*: check the server and the token"):
        api.get("/a.png?x=1")
