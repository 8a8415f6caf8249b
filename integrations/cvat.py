"""Propagate the masks and polygons of a CVAT task to its other frames, and track shapes in CVAT's editor.

    python -m vosmem.integrations.cvat TASK --server http://localhost:8080 [--replace]

The token is read from CVAT_ACCESS_TOKEN, or the password of --user from CVAT_PASSWORD. `create` makes a tracking
function for `cvat-cli function create-native` and `run-agent`.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

import vosmem
from vosmem.data.decoding.regions import placed_runs, polygons
from vosmem.errors import InputError
from vosmem.inference.sequences.streaming import Segmenter, Stream
from vosmem.segmentation.formats.cvat import cvat_mask
from vosmem.segmentation.formats.outlines import polygons as outlines

PROPAGATED = ("mask", "polygon")  # types of shapes
AUTOMATIC = "auto"  # source of shapes that no person drew or changed
FRAMES_PER_UPLOAD = 50


def region(kind: str, points: Sequence[float], size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """Draw a shape of CVAT.

    Args:
        kind: `mask`, `polygon` or `rectangle`.
        points: of the shape. Those of a mask are run lengths, and the first and the last column and row.
        size: height and width of the frame.
    """
    if kind == "mask":
        *lengths, x0, y0, x1, y1 = map(int, points)
        return placed_runs(lengths, (x0, y0), (x1 - x0 + 1, y1 - y0 + 1))(*size)
    if kind == "rectangle":
        left, top, right, bottom = points
        points = [left, top, right, top, right, bottom, left, bottom]
    return polygons([list(points)])(*size)


def shapes_of(kind: str, mask: UInt8[np.ndarray, "H W"]) -> list[list[float]]:
    """The points of the shapes that cover a mask of 0 and 1: a polygon for each part, otherwise one shape."""
    if not mask.any():
        return []
    if kind == "polygon":
        return [outline.ravel().tolist() for outline in outlines(mask)]
    found = cvat_mask(mask)
    corners = [found.left, found.top, found.left + found.width - 1, found.top + found.height - 1]
    return [[*found.rle, *corners]] if kind == "mask" else [[*corners[:2], corners[2] + 1, corners[3] + 1]]


def propagate(task: Any, segmenter: Segmenter, short_side: int = 480, replace: bool = False) -> int:
    """Add masks to the frames of a task after the first one with a drawn mask or polygon; return their number.

    Shapes of one label and group are one object. Ungrouped shapes of a label are objects in their order in the frame,
    and what is added gets new groups.

    Args:
        task: of `cvat_sdk`.
        segmenter: whose network is used.
        short_side: largest short side of the frames for the network.
        replace: whether to remove the automatic masks and polygons that the task has.

    Raises:
        InputError: nothing is drawn, or the task has automatic shapes that are not to be replaced.
    """
    from cvat_sdk import models

    shapes = [shape for shape in task.get_annotations().shapes if str(shape.type) in PROPAGATED]
    drawn = [shape for shape in shapes if not _is_automatic(shape)]
    old = [shape.id for shape in shapes if _is_automatic(shape)]
    if not drawn:
        raise InputError(f"task {task.id} has no drawn mask or polygon: draw the objects of one frame and save")
    if old and not replace:
        raise InputError(f"task {task.id} has {len(old)} automatic masks or polygons: remove them with --replace")
    objects = _objects(drawn)
    waiting: list[Any] = []
    num_frames = 0
    for t, ids in _segmented(task, objects, segmenter, short_side):
        for number, (*_, model) in enumerate(objects.values(), start=1):
            for points in shapes_of(str(model.type), (ids == number).astype(np.uint8)):
                waiting.append(_request(models, model, t, points, _group(model, number, drawn)))
        num_frames += 1
        if num_frames % FRAMES_PER_UPLOAD == 0:
            _upload(models, task, waiting)
    _upload(models, task, waiting)
    if old:
        task.remove_annotations(ids=old)
    return num_frames


def _objects(drawn: Sequence[Any]) -> dict[tuple[int, int, int], list[Any]]:
    """The drawn shapes of each object."""
    objects: dict[tuple[int, int, int], list[Any]] = {}
    for shape in sorted(drawn, key=lambda shape: shape.frame):
        index, group = 0, _own_group(shape)
        if not group:  # the next object of its label in this frame
            while any(other.frame == shape.frame for other in objects.get((shape.label_id, 0, index), ())):
                index += 1
        objects.setdefault((shape.label_id, group, index), []).append(shape)
    return objects


def _segmented(
    task: Any, objects: Mapping[Any, Sequence[Any]], segmenter: Segmenter, short_side: int
) -> Iterator[tuple[int, UInt8[np.ndarray, "H W"]]]:
    """The index of each frame without drawn shapes after the first with one, and its object numbers from 1 on."""
    given = {shape.frame for shapes in objects.values() for shape in shapes}
    removed = set(task.get_meta().deleted_frames)
    stream = segmenter.stream(short_side=short_side)
    for t in range(min(given), task.size):
        if t in removed:
            continue
        frame = np.asarray(Image.open(task.get_frame(t, quality="original")).convert("RGB"))
        found = stream.step(frame, _mask(objects, t, frame.shape[:2]) if t in given else None)
        if t not in given:
            yield t, found.ids.numpy()


def _mask(objects: Mapping[Any, Sequence[Any]], t: int, size: Any) -> UInt8[np.ndarray, "H W"]:
    """The mask that is drawn in a frame; shapes with a higher `z_order` are in front."""
    mask = np.zeros(size, np.uint8)
    shapes = [(shape, number) for number, own in enumerate(objects.values(), start=1) for shape in own]
    for shape, number in sorted(shapes, key=lambda pair: getattr(pair[0], "z_order", 0)):
        if shape.frame == t:
            mask[region(str(shape.type), shape.points, size)] = number
    return mask


def _is_automatic(shape: Any) -> bool:
    """Whether no person drew or changed a shape. Fields that a server leaves out are missing in the SDK's models."""
    return getattr(shape, "source", None) == AUTOMATIC


def _own_group(shape: Any) -> int:
    return getattr(shape, "group", None) or 0


def _group(model: Any, number: int, drawn: Sequence[Any]) -> int:
    """The group of an object: its own, or a new one."""
    return _own_group(model) or max(map(_own_group, drawn)) + number


def _request(models: Any, model: Any, t: int, points: Sequence[float], group: int) -> Any:
    """A shape to add, with the type, the label and the attributes of a drawn one."""
    attributes = [models.AttributeValRequest(spec_id=one.spec_id, value=one.value) for one in model.attributes]
    common = {"label_id": model.label_id, "frame": t, "group": group, "source": AUTOMATIC, "attributes": attributes}
    return models.LabeledShapeRequest(type=str(model.type), points=list(points), **common)


def _upload(models: Any, task: Any, waiting: list[Any]) -> None:
    from cvat_sdk.core.proxies.annotations import AnnotationUpdateAction

    if waiting:
        task.update_annotations(
            models.PatchedLabeledDataRequest(shapes=list(waiting)), action=AnnotationUpdateAction.CREATE
        )
        waiting.clear()


class Tracker:
    """A tracking function of `cvat_sdk.auto_annotation`, with a stream for each shape.

    Args:
        segmenter: whose network is used.
        short_side: largest short side of the frames for the network.
    """

    def __init__(self, segmenter: Segmenter, short_side: int = 480):
        self._segmenter, self._short_side = segmenter, short_side

    @property
    def spec(self) -> Any:
        """The types of shapes that are tracked."""
        from cvat_sdk.auto_annotation import TrackingFunctionSpec

        return TrackingFunctionSpec(supported_shape_types=[*PROPAGATED, "rectangle"])

    def preprocess_image(self, context: Any, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """RGB of a frame."""
        return np.asarray(image.convert("RGB"))

    def init_tracking_state(self, context: Any, pp_image: UInt8[np.ndarray, "H W 3"], shape: Any) -> Stream:
        """A stream that has seen the shape; the mask of a rectangle is cut out by the network."""
        stream = self._segmenter.stream(short_side=self._short_side)
        if shape.type == "rectangle":
            mask: Any = self._segmenter.first_mask(pp_image, boxes=[shape.points]).ids
        else:
            mask = region(shape.type, shape.points, pp_image.shape[:2]).astype(np.uint8)
        stream.step(pp_image, mask)
        return stream

    def track(self, context: Any, pp_image: UInt8[np.ndarray, "H W 3"], state: Stream) -> Any:
        """The shape in the next frame, of a polygon its largest part; None if the object is not visible."""
        from cvat_sdk.auto_annotation import TrackableShape

        ids = state.step(pp_image).ids.numpy()
        found = shapes_of(context.original_shape_type, (ids > 0).astype(np.uint8))
        return TrackableShape(type=context.original_shape_type, points=found[0]) if found else None


def create(weights: str | None = None, short_side: int = 480) -> Tracker:
    """The tracking function for `cvat-cli`, whose parameters are `-p short_side=int:480` and `-p weights=str:FILE`."""
    return Tracker(vosmem.load(weights), short_side)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="python -m vosmem.integrations.cvat",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", type=int, metavar="TASK", help="number of the task")
    parser.add_argument("--server", default="https://app.cvat.ai", metavar="URL", help="(default: %(default)s)")
    parser.add_argument("--user", metavar="NAME", help="log in with the password of CVAT_PASSWORD")
    parser.add_argument("--weights", metavar="FILE", help="as for vosmem segment (default: those of the package)")
    parser.add_argument("--size", type=int, default=480, metavar="N", help="largest short side (default: 480)")
    parser.add_argument("--replace", action="store_true", help="remove the automatic masks and polygons of the task")
    options = parser.parse_args()
    try:
        print(f"added masks to {_run(options)} frames of task {options.task}")
    except InputError as error:
        sys.exit(f"vosmem: {error}")


def _run(options: Any) -> int:
    from cvat_sdk import exceptions, make_client
    from urllib3.exceptions import HTTPError

    token, password = os.environ.get("CVAT_ACCESS_TOKEN"), os.environ.get("CVAT_PASSWORD")
    if not (token or (options.user and password)):
        raise InputError("no credentials: set CVAT_ACCESS_TOKEN, or CVAT_PASSWORD and --user")
    login: dict[str, Any] = {"credentials": (options.user, password)} if options.user else {"access_token": token}
    try:
        with make_client(options.server, **login) as client:
            task = client.tasks.retrieve(options.task)
            return propagate(task, vosmem.load(options.weights), options.size, options.replace)
    except (exceptions.ApiException, HTTPError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"CVAT at {options.server} answered: {reason}: check --server, TASK and credentials"
        ) from error


if __name__ == "__main__":
    main()
