"""Shapes of a CVAT task are propagated and uploaded as requests of the SDK, and its tracker follows one shape."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from integrations import cvat
from tests.golden_video import video
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.sequences.streaming import Segmenter

COUNT, SIZE = 6, (32, 48)
FRAMES, LABELS = video(COUNT, *SIZE, 2)
DELETED, DRAWN = 3, 1


@pytest.fixture
def segmenter(small_stm):
    return Segmenter(small_stm, Engine(torch.device("cpu")))


def picture(t):
    buffer = io.BytesIO()
    Image.fromarray(FRAMES[t]).save(buffer, format="PNG")
    return buffer


class Task:
    """What a task of the SDK offers, with the SDK's models."""

    id, size = 12, COUNT

    def __init__(self, models, shapes):
        self.shapes = [models.LabeledShape(id=number, **shape) for number, shape in enumerate(shapes)]
        self.uploads, self.removed = [], []

    def get_annotations(self):
        return SimpleNamespace(shapes=self.shapes)

    def get_meta(self):
        return SimpleNamespace(deleted_frames=[DELETED])

    def get_frame(self, t, quality):
        assert quality == "original" and t != DELETED
        return picture(t)

    def update_annotations(self, data, action):
        assert action.value == "create"
        self.uploads.append(data.shapes)

    def remove_annotations(self, ids):
        self.removed += ids


def drawn(kind, label, mask, **more):
    (points,) = cvat.shapes_of(kind, mask.astype(np.uint8))
    return {"type": kind, "label_id": label, "frame": DRAWN, "points": points, "attributes": [], "elements": [], **more}


def test_masks_are_encoded_as_the_sdk_does():
    masks = pytest.importorskip("cvat_sdk.masks")
    for mask in (LABELS[0] == 1, LABELS[0] == 2, np.ones(SIZE, bool)):
        (points,) = cvat.shapes_of("mask", mask.astype(np.uint8))
        assert points == masks.encode_mask(mask)
        assert np.array_equal(cvat.region("mask", [float(one) for one in points], SIZE), mask)


def test_polygons_and_rectangles_cover_the_mask():
    mask = np.zeros(SIZE, np.uint8)
    mask[4:20, 10:30] = 1
    for kind in ("polygon", "rectangle"):
        (points,) = cvat.shapes_of(kind, mask)
        assert np.array_equal(cvat.region(kind, points, SIZE), mask)
        assert cvat.shapes_of(kind, np.zeros_like(mask)) == []


def test_drawn_shapes_are_propagated_to_later_frames(segmenter):
    models = pytest.importorskip("cvat_sdk.models")
    attribute = models.AttributeVal(spec_id=8, value="red")
    shapes = [
        drawn("mask", 5, LABELS[DRAWN] == 1, group=4, source="manual", attributes=[attribute]),
        drawn("mask", 5, LABELS[DRAWN] == 2, source="semi-auto"),
    ]
    task = Task(models, shapes)
    assert cvat.propagate(task, segmenter, 480) == 3
    stream, expected = segmenter.stream(short_side=480), {}
    for t in (1, 2, 4, 5):
        found = stream.step(FRAMES[t], LABELS[t] if t == DRAWN else None)
        expected |= {(t, group): (found.ids == number).numpy() for number, group in ((1, 4), (2, 6))}
    uploaded = {(shape.frame, shape.group): shape for (shapes,) in [task.uploads] for shape in shapes}
    assert uploaded and set(uploaded) == {key for key, mask in expected.items() if mask.any() and key[0] != DRAWN}
    for key, shape in uploaded.items():
        assert (str(shape.type), shape.label_id, shape.source) == ("mask", 5, "auto")
        assert np.array_equal(cvat.region("mask", shape.points, SIZE), expected[key])
        assert [one.value for one in shape.attributes] == (["red"] if key[1] == 4 else [])
    assert task.removed == []


def test_automatic_shapes_are_replaced_only_if_asked(segmenter):
    models = pytest.importorskip("cvat_sdk.models")
    shapes = [drawn("polygon", 5, LABELS[DRAWN] == 1), {**drawn("mask", 5, LABELS[2] == 1, source="auto"), "frame": 2}]
    task = Task(models, shapes)
    with pytest.raises(InputError, match=r"task 12 has 1 automatic masks or polygons: remove them with --replace"):
        cvat.propagate(task, segmenter)
    assert cvat.propagate(task, segmenter, replace=True) == 3 and task.removed == [1]
    assert {str(shape.type) for shapes in task.uploads for shape in shapes} <= {"polygon"}
    with pytest.raises(InputError, match=r"task 12 has no drawn mask or polygon: draw"):
        cvat.propagate(Task(models, shapes[1:]), segmenter)


@pytest.mark.parametrize("kind", ["mask", "polygon", "rectangle"])
def test_the_tracker_follows_a_shape(segmenter, kind):
    tracking = pytest.importorskip("cvat_sdk.auto_annotation")
    tracker, mask = cvat.Tracker(segmenter), (LABELS[0] == 1).astype(np.uint8)
    assert kind in tracker.spec.supported_shape_types
    context = SimpleNamespace(original_shape_type=kind)
    images = [tracker.preprocess_image(context, Image.fromarray(frame)) for frame in FRAMES]
    points = [1.2, 1, 24, 22.4] if kind == "rectangle" else cvat.shapes_of(kind, mask)[0]
    shape = tracking.TrackableShape(type=kind, points=points)
    state = tracker.init_tracking_state(context, images[0], shape)
    stream = segmenter.stream(short_side=480)
    given = mask if kind == "mask" else cvat.region(kind, shape.points, SIZE).astype(np.uint8)
    if kind == "rectangle":
        given = segmenter.first_mask(FRAMES[0], boxes=[shape.points]).ids
    stream.step(FRAMES[0], given)
    for image in images[1:]:
        expected = cvat.shapes_of(kind, (stream.step(image).ids.numpy() > 0).astype(np.uint8))
        found = tracker.track(context, image, state)
        assert (found is None and not expected) or (found.type, found.points) == (kind, expected[0])
