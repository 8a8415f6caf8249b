"""A machine-learning backend of Label Studio: brush masks of annotated frames are propagated to the frames after them.

    LABEL_STUDIO_API_KEY=... python -m vosmem.integrations.label_studio --label-studio http://localhost:8080

Each task of the project is a frame. No package of Label Studio is needed.
"""

import argparse
import io
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import PurePosixPath
from threading import Lock
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import numpy as np
from jaxtyping import UInt8
from natsort import natsorted
from PIL import Image

import vosmem
from vosmem.errors import InputError
from vosmem.inference.sequences.streaming import Segmenter, Stream
from vosmem.inputs.annotations.label_studio import SHAPES, UPLOADED
from vosmem.inputs.annotations.shapes import MALFORMED
from vosmem.segmentation.formats.label_studio import brush_result

VERSION = "vosmem"
MOST_GIVEN = 5  # annotated frames before a task that are given to the network
TASKS_PER_PAGE = 100
SECONDS = 60  # for an answer of Label Studio
FILTER = {"filter": "filter:tasks:total_annotations", "operator": "greater", "type": "Number", "value": 0}
ANNOTATED = {"filters": {"conjunction": "and", "items": [FILTER]}}
Json = dict[str, Any]


class ServerApi:
    """The API of a Label Studio server at an address, with a personal access token or a legacy token."""

    def __init__(self, address: str, key: str):
        self._address, self._key = address.rstrip("/") + "/", key

    def tasks(self, project: int, annotated: bool) -> list[Json]:
        """All tasks of a project, or those with annotations."""
        query = {"project": project, "page_size": TASKS_PER_PAGE, "fields": "all"}
        query |= {"query": json.dumps(ANNOTATED)} if annotated else {}
        found: list[Json] = []
        for page in count(1):
            answer = json.loads(self.get("api/tasks/?" + urlencode({**query, "page": page})))
            found += answer["tasks"]
            if page * TASKS_PER_PAGE >= answer["total"]:
                break
        return found

    def get(self, path: str) -> bytes:
        """Read an address, which may be on another server; `InputError` if that fails."""
        address = urljoin(self._address, path)
        return self._send(Request(address, headers=self._login() if address.startswith(self._address) else {}))

    def _login(self) -> dict[str, str]:
        if self._key.count(".") != 2:  # a legacy token; a personal access token is a JWT, which is exchanged
            return {"Authorization": f"Token {self._key}"}
        body = json.dumps({"refresh": self._key}).encode()
        request = Request(self._address + "api/token/refresh", body, {"Content-Type": "application/json"})
        return {"Authorization": f"Bearer {json.loads(self._send(request))['access']}"}

    def _send(self, request: Request) -> bytes:
        if urlsplit(request.full_url).scheme not in ("http", "https"):
            raise InputError(f"{request.full_url} is no address of a picture: use pictures that Label Studio serves")
        try:
            with urlopen(request, timeout=SECONDS) as answer:
                return bytes(answer.read())
        except (URLError, TimeoutError) as error:
            address = request.full_url.partition("?")[0]
            raise InputError(f"{address} cannot be read ({error}): check the server and the token") from error


class Backend:
    """Predicts the brush masks of tasks.

    Args:
        api: of the Label Studio server.
        segmenter: whose network is used.
        short_side: largest short side of the frames for the network.
    """

    def __init__(self, api: ServerApi, segmenter: Segmenter, short_side: int = 480):
        self._api, self._segmenter, self._short_side = api, segmenter, short_side
        self._tasks: dict[int, list[Json]] = {}  # of each project
        self._run: tuple[Any, _Run] | None = None  # the last one, and what it depends on

    def predict(self, project: int, config: str, tasks: Sequence[Json]) -> list[Json]:
        """A prediction for each task, from the annotated frames of its video before it; empty without any.

        Raises:
            InputError: the configuration has no brush, or Label Studio or a picture cannot be read.
        """
        brush = brush_of(config)
        if not {task["id"] for task in tasks} <= {task["id"] for task in self._tasks.get(project, ())}:
            self._tasks[project] = self._api.tasks(project, annotated=False)
        frames = natsorted(self._tasks[project], key=lambda task: frame_of(task["data"][brush.key]))
        annotated = {task["id"]: regions_of(task) for task in self._api.tasks(project, annotated=True)}
        chosen = [t for t, task in enumerate(frames) if task["id"] in {one["id"] for one in tasks}]
        found = {frames[t]["id"]: self._predict(frames[: t + 1], annotated, brush) for t in chosen}
        return [{"result": found[task["id"]], "score": 0.0, "model_version": VERSION} for task in tasks]

    def _predict(self, frames: Sequence[Json], annotated: Mapping[int, list[Json]], brush: "Brush") -> list[Json]:
        """The regions of the last frame."""
        addresses = {task["id"]: task["data"][brush.key] for task in frames}
        own = frame_of(frames[-1]["data"][brush.key])[0]
        video = [number for number, address in addresses.items() if frame_of(address)[0] == own]
        given = [number for number in video[:-1] if annotated.get(number)][-MOST_GIVEN:]
        if not given:
            return []
        depends_on = [(number, annotated[number]) for number in given]
        after = video[video.index(given[-1]) + 1 :]
        if self._run is None or self._run[0] != depends_on or self._run[1].steps > len(after):
            self._run = depends_on, _Run(self._segmenter.stream(short_side=self._short_side))
            for number in given:
                self._run[1].give(self._picture(addresses[number]), annotated[number])
        run = self._run[1]
        for number in after[run.steps :]:
            run.step(self._picture(addresses[number]))
        return run.regions(brush)

    def _picture(self, address: str) -> UInt8[np.ndarray, "H W 3"]:
        try:
            return np.asarray(Image.open(io.BytesIO(self._api.get(quote(address, safe="/:?&=%+,@#")))).convert("RGB"))
        except OSError as error:
            raise InputError(f"{address} is no picture: a task of this project must be a frame") from error


class Brush(NamedTuple):
    """Names of the brush, its image, and the image's address in a task."""

    control: str
    image: str
    key: str


def brush_of(config: str) -> Brush:
    """The brush of a labelling configuration.

    Raises:
        InputError: there is none.

    Example:
        >>> brush_of('<View><Image name="i" value="$url"/><BrushLabels name="b" toName="i"/></View>')
        Brush(control='b', image='i', key='url')
    """
    root = ElementTree.fromstring(config)
    for control in root.iter("BrushLabels"):
        for image in root.iter("Image"):
            if image.get("name") == control.get("toName"):
                return Brush(control.attrib["name"], image.attrib["name"], image.attrib["value"].removeprefix("$"))
    raise InputError("the labelling configuration has no BrushLabels for an Image: add them")


def frame_of(address: str) -> tuple[str, str]:
    """The video and the name of a frame: folder and file of its address, without what an upload puts before the name.

    Example:
        >>> frame_of("/data/upload/1/0a1b2c3d-00007.jpg")
        ('/data/upload/1', '00007.jpg')
        >>> frame_of("/data/local-files/?d=clip/7.jpg")
        ('clip', '7.jpg')
    """
    parts = urlsplit(address)
    path = PurePosixPath(parse_qs(parts.query).get("d", [parts.path])[0])
    return str(path.parent), UPLOADED.sub("", path.name, count=1)


def regions_of(task: Json) -> list[Json]:
    """The regions of the newest annotation of a task that was not skipped."""
    made = sorted(task["annotations"], key=lambda one: one["updated_at"])
    kept = [one["result"] for one in made if not one.get("was_cancelled")]
    return [region for region in (kept or [[]])[-1] if region.get("type", "").removesuffix("labels") in SHAPES]


class _Run:
    """A stream; an object is a label, and a number in the order of the regions of that label."""

    def __init__(self, stream: Stream):
        self._stream, self._objects = stream, dict[tuple[str, int], int]()
        self.steps = 0  # after the last annotated frame
        self._ids: Any = None

    def give(self, frame: UInt8[np.ndarray, "H W 3"], regions: Sequence[Json]) -> None:
        """Step to an annotated frame."""
        height, width = size = frame.shape[0], frame.shape[1]
        mask, seen = np.zeros((height, width), np.uint8), Counter[str]()
        for region in regions:
            kind, value = region["type"].removesuffix("labels"), region["value"]
            label = (value.get(f"{kind}labels") or [""])[0]
            seen[label] += 1
            number = self._objects.setdefault((label, seen[label]), len(self._objects) + 1)
            mask[SHAPES[kind](value, size)(height, width)] = number
        self._ids = self._stream.step(frame, mask).ids.numpy()

    def step(self, frame: UInt8[np.ndarray, "H W 3"]) -> None:
        """Step to the next frame."""
        self._ids = self._stream.step(frame).ids.numpy()
        self.steps += 1

    def regions(self, brush: Brush) -> list[Json]:
        """The brush masks of the last frame."""
        found = []
        for (label, _), number in self._objects.items():
            mask = (self._ids == number).astype(np.uint8)
            if mask.any():
                result = {**brush_result(number, mask), "from_name": brush.control, "to_name": brush.image}
                found.append({**result, "value": {**result["value"], "brushlabels": [label]}})
        return found


class BackendServer(ThreadingHTTPServer):
    """Answers Label Studio, which asks for `/health` during predictions too; those are made one at a time."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], backend: Backend):
        self.backend, self.lock = backend, Lock()
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that do not wait for their answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers `/health`, `/setup`, `/webhook` and `/predict`."""

    server: BackendServer

    def do_GET(self) -> None:
        self._answer(200, {"status": "UP", "model_class": "vosmem"})

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path.strip("/") != "predict":  # of the others, /setup asks for the version
            self._answer(200, {"model_version": VERSION})
            return
        project = int(str(content.get("project") or 0).split(".")[0])
        try:
            with self.server.lock:
                found = self.server.backend.predict(project, content["label_config"], content["tasks"])
            self._answer(200, {"results": found})
        except (InputError, *MALFORMED) as error:
            print(f"vosmem: {error}", file=sys.stderr)
            self._answer(400, {"error": str(error)})

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def _answer(self, status: int, content: Json) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until the process is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--label-studio", default="http://localhost:8080", metavar="URL", help="(default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=9090, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--weights", metavar="FILE", help="as for vosmem segment (default: those of the package)")
    parser.add_argument("--size", type=int, default=480, metavar="N", help="largest short side (default: 480)")
    options = parser.parse_args()
    try:
        key = os.environ.get("LABEL_STUDIO_API_KEY")
        if not key:
            raise InputError("no token: set LABEL_STUDIO_API_KEY to a token of Account & Settings")
        api = ServerApi(options.label_studio, key)
        backend = Backend(api, vosmem.load(options.weights), options.size)
        server = BackendServer((options.host, options.port), backend)
    except (InputError, OSError) as error:
        sys.exit(f"vosmem: {error}")
    print(f"vosmem: backend at http://{options.host}:{options.port} (Ctrl-C ends it)", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
