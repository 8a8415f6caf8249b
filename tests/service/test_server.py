"""The service: equal to a stream, for several clients at once, and unharmed by clients that misbehave."""

import base64
import gc
import http.client
import io
import json
import socket
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from tests.golden_video import video
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.service.server import serving
from vosmem.service.sessions import ClientSessions, ServiceLimits

SIZE, COUNT, TOKEN = (32, 48), 4, "secret"
FRAMES, LABELS = video(COUNT, *SIZE, 2)
MASK = np.array([0, 3, 200], np.uint8)[LABELS[0]]


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


class Client:
    def __init__(self, url, token=TOKEN):
        self.address, self.token = url.removeprefix("http://"), token

    def request(self, method, path, content=None, **headers):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        body = None if content is None else json.dumps(content)
        headers = {"Authorization": f"Bearer {self.token}", **headers}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found

    def start(self):
        status, answer = self.request("POST", "/sessions")
        assert status == 201
        return answer["session"]

    def step(self, session, **content):
        return self.request("POST", f"/sessions/{session}/frames", content)

    def segment(self):
        """The ids of each frame of the video."""
        session, found = self.start(), []
        for t in range(COUNT):
            status, answer = self.step(session, frame=png(FRAMES[t]), **({"mask": png(MASK)} if t == 0 else {}))
            assert (status, answer["t"], answer["objects"]) == (200, t, [3, 200])
            found.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["mask"])))))
        assert self.request("DELETE", f"/sessions/{session}") == (200, {})
        return found


@pytest.fixture
def segmenter(small_stm):
    return Segmenter(small_stm, Engine(torch.device("cpu")))


@pytest.fixture
def service(segmenter):
    """The sessions and a client of a running service."""
    sessions = ClientSessions(segmenter.stream, ServiceLimits(body_mb=1, pixels=10_000, sessions=4))
    with serving(sessions, "127.0.0.1", 0, TOKEN) as url:
        yield sessions, Client(url)


def test_four_clients_at_once_get_what_a_stream_finds(service, segmenter):
    sessions, client = service
    stream = segmenter.stream()
    expected = [stream.step(FRAMES[t], MASK if t == 0 else None).ids.numpy() for t in range(COUNT)]
    with ThreadPoolExecutor(4) as pool:
        for found in [task.result() for task in [pool.submit(client.segment) for _ in range(4)]]:
            assert np.array_equal(found, expected)
    assert len(sessions) == 0


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer wrong"}, {"Authorization": ""}, {"Authorization": "é"}])
def test_requests_with_a_wrong_token_do_nothing(service, headers):
    sessions, client = service
    status, answer = client.request("POST", "/sessions", **headers)
    assert status == 401 and "Authorization: Bearer TOKEN" in answer["error"] and len(sessions) == 0
    assert client.request("GET", "/health", **headers) == (200, {"status": "ok"})


@pytest.mark.parametrize("size", [2**20 + 1, 2**26])
def test_too_large_requests_are_refused_while_the_client_still_sends(service, size):
    _, client = service
    status, answer = client.step(client.start(), frame="A" * size)
    assert status == 413 and "larger than 1 MB" in answer["error"]
    assert client.step("nothing", frame="A" * size)[0] == 404
    assert Client(client.address, "wrong").step("nothing", frame="A" * size)[0] == 401


def test_too_large_frames_are_refused(service):
    _, client = service
    session = client.start()
    status, answer = client.step(session, frame=png(np.zeros((101, 100, 3), np.uint8)), mask=png(MASK))
    assert status == 400 and "100x101 pixels, more than 10000" in answer["error"]
    assert client.step(session, frame=png(FRAMES[0]), mask=png(MASK))[0] == 200


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "frame is missing"),
        ({"frame": "***"}, "frame cannot be decoded"),
        ({"frame": base64.b64encode(b"GIF89a").decode()}, "frame cannot be decoded"),
        ({"frame": png(FRAMES[0])}, "mask"),
        ({"frame": png(FRAMES[0]), "mask": png(FRAMES[0])}, "mode RGB: send object ids"),
        ({"frame": png(FRAMES[0]), "mask": png(MASK[:8])}, "mask"),
        ({"frame": png(FRAMES[0]), "mask": png(MASK), "absent": "all"}, "absent is no list"),
    ],
)
def test_bad_frames_get_one_line_and_the_session_goes_on(service, content, message):
    _, client = service
    session = client.start()
    status, answer = client.step(session, **content)
    assert status == 400 and message in answer["error"] and "\n" not in answer["error"]
    assert client.step(session, frame=png(FRAMES[0]), mask=png(MASK))[0] == 200


def test_unknown_sessions_and_paths_are_not_found(service):
    _, client = service
    assert client.step("nothing", frame=png(FRAMES[0]))[0] == 404
    assert client.request("DELETE", "/sessions/nothing")[0] == 404
    assert client.request("GET", "/../etc/passwd")[0] == 404


def test_objects_are_removed(service):
    _, client = service
    session = client.start()
    client.step(session, frame=png(FRAMES[0]), mask=png(MASK))
    assert client.request("DELETE", f"/sessions/{session}/objects/3") == (200, {"objects": [200]})
    assert client.step(session, frame=png(FRAMES[1]))[1]["objects"] == [200]
    assert client.request("DELETE", f"/sessions/{session}/objects/3")[0] == 400


def test_sessions_are_limited(service):
    _, client = service
    names = [client.start() for _ in range(4)]
    status, answer = client.request("POST", "/sessions")
    assert status == 429 and "4 sessions are running" in answer["error"]
    client.request("DELETE", f"/sessions/{names[0]}")
    client.start()


def test_a_client_that_vanishes_loses_its_session_and_frees_its_memory(segmenter):
    streams = []

    def make_stream():
        stream = segmenter.stream()
        streams.append(weakref.ref(stream))
        return stream

    sessions = ClientSessions(make_stream, ServiceLimits(idle_seconds=0.5))
    with serving(sessions, "127.0.0.1", 0, TOKEN) as url:
        client = Client(url)
        session = client.start()
        client.step(session, frame=png(FRAMES[0]), mask=png(MASK))
        host, port = client.address.split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST /sessions/{session}/frames HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n"
            connection.sendall(f"{head}Content-Length: 1000\r\n\r\nhalf".encode())
        assert np.array_equal(client.segment()[0], MASK)  # others are served meanwhile
        end = time.monotonic() + 20
        while len(sessions) and time.monotonic() < end:
            time.sleep(0.1)
        gc.collect()
        assert len(sessions) == 0 and all(stream() is None for stream in streams)


def test_a_port_in_use_is_reported(service, segmenter):
    _, client = service
    port = int(client.address.split(":")[1])
    sessions = ClientSessions(segmenter.stream, ServiceLimits())
    with (
        pytest.raises(InputError, match=rf"port {port} cannot be used .*--port"),
        serving(sessions, "127.0.0.1", port, ""),
    ):
        pass
    with pytest.raises(InputError, match="limit sessions is 0"):
        ServiceLimits(sessions=0)
