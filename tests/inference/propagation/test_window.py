"""The window around the objects: its position, and that only the network's view depends on it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from vosmem.errors import InputError
from vosmem.inference import Propagator
from vosmem.inference.propagation.view import View
from vosmem.inference.propagation.window import TAIL, ObjectBoxes, Window, Zoom, object_boxes
from vosmem.memory.policy import EveryN
from vosmem.ops.locality import cells

FRAME = (120, 200)
SEEN = ObjectBoxes((50.0, 60.0, 90.0, 110.0), True)
LOST = ObjectBoxes(None, False)


def edges(length):
    return st.tuples(st.floats(0, length), st.floats(0, length)).map(sorted)


@given(rows=edges(FRAME[0]), columns=edges(FRAME[1]), most=st.floats(1, 6), margin=st.floats(1, 5), seen=st.booleans())
def test_a_window_lies_in_the_frame_contains_the_objects_and_is_limited_in_magnification(
    rows, columns, most, margin, seen
):
    zoom = Zoom(most=most, margin=margin, inertia=0.0)
    window = zoom.window(ObjectBoxes((*rows, *columns), seen), None, FRAME)
    for start, length, whole, (first, last) in zip(window[:2], window[2:], FRAME, (rows, columns), strict=True):
        assert 0 <= start <= start + length <= whole
        assert length >= whole / most - 1
        assert start <= first + 1 and last - 1 <= start + length


def test_the_window_follows_the_size_of_the_objects_with_inertia():
    near = ObjectBoxes((20.0, 60.0, 50.0, 110.0), True)
    quick, slow = Zoom(most=10.0, inertia=0.0), Zoom(most=10.0, inertia=0.9)
    far = quick.window(SEEN, None, FRAME)
    assert far.height == 36  # 3 x 20 of 200 columns is more than 3 x 10 of 120 rows: 0.3 of the frame
    assert far.height < slow.window(near, far, FRAME).height < quick.window(near, far, FRAME).height


def test_a_window_widens_to_the_whole_frame_while_an_object_is_lost():
    zoom = Zoom(most=4.0)
    window = zoom.window(SEEN, None, FRAME)
    middle = window.left + window.width / 2
    wider = zoom.window(LOST, window, FRAME)
    assert wider.width > window.width and abs(wider.left + wider.width / 2 - middle) <= 1
    for _ in range(10):
        wider = zoom.window(LOST, wider, FRAME)
    assert wider == Window(0, 0, *FRAME)
    one_is_lost = zoom.window(SEEN._replace(all_seen=False), window, FRAME)
    assert one_is_lost.width > window.width


def test_boxes_join():
    joined = SEEN.joined(ObjectBoxes((0.0, 10.0, 95.0, 120.0), False))
    assert joined == ObjectBoxes((0.0, 60.0, 90.0, 120.0), True)
    assert LOST.joined(SEEN) == SEEN and LOST.joined(LOST) == LOST


def test_specks_far_away_do_not_stretch_the_box():
    labels = torch.zeros(FRAME, dtype=torch.uint8)
    labels[40:80, 60:120] = 1
    labels[0, :20] = 1  # fewer than one in a hundred
    assert object_boxes(labels, 1).box == (40, 80, 60, 120)


def test_a_small_object_is_no_speck_next_to_a_large_one():
    labels = torch.zeros(FRAME, dtype=torch.uint8)
    labels[40:80, 60:120] = 1
    labels[2:7, 190:195] = 2  # one in a hundred of all that is shown
    assert object_boxes(labels, 2) == ObjectBoxes((2, 80, 60, 195), True)
    labels[2:7, 190:194] = 0
    assert object_boxes(labels, 2) == ObjectBoxes((40, 80, 60, 120), False)
    assert object_boxes(labels, 2, least=1) == ObjectBoxes((2, 80, 60, 195), True)


@pytest.mark.parametrize("t", [0, 2])
def test_a_given_object_of_any_size_lies_in_the_window(small_network, t):
    """At the edge of the frame, far from the large object."""
    frame, mask = torch.rand(3, *FRAME), torch.zeros(FRAME, dtype=torch.uint8)
    mask[30:54, 10:50] = 1
    propagator = Propagator(small_network, EveryN(interval=5), zoom=Zoom())
    for _ in range(t):
        propagator.step(frame, mask)
    mask[115:118, 194:197] = 2
    probs = propagator.step(frame, mask)
    assert propagator._last.masks[0, 1].any() and torch.equal(probs.argmax(dim=0) == 2, mask == 2)


@pytest.mark.parametrize("numbers", [{"most": 0.5}, {"margin": 0.9}, {"inertia": 1.0}])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(InputError, match="1 or more"):
        Zoom(**numbers)


def test_a_view_cuts_the_window_and_puts_it_back():
    view = View.of(Window(16, 40, 60, 100), FRAME, (120, 200))
    frame = torch.zeros(3, *FRAME)
    frame[:, 16:76, 40:140] = 1
    assert float(view.image(frame)[..., 4:-4, 4:-4].min()) == 1  # padded by four on either side
    probs = view.back(torch.tensor([0.25, 0.75])[:, None, None].expand(2, 120, 200).contiguous())
    assert torch.equal(probs[1] == 0.75, frame[0] == 1)
    torch.testing.assert_close(probs.sum(dim=0), torch.ones(FRAME))
    labels = (frame[0] == 1).to(torch.uint8)
    assert view.labels(labels).shape == (120, 200) and bool(view.labels(labels).all())


@pytest.mark.parametrize("now", [Window(10, 30, 80, 133), Window(0, 0, *FRAME)])
def test_masks_are_resampled_from_view_to_view(now):
    """The result equals the mask seen through the new window."""
    rows, columns = torch.meshgrid(torch.arange(120.0), torch.arange(200.0), indexing="ij")
    mask = torch.exp(-((rows - 52) ** 2 + (columns - 95) ** 2) / (2 * 18**2))
    views = [View.of(window, FRAME, (240, 400)) for window in (Window(20, 40, 60, 100), now)]

    def on_cells(picture, view):
        return cells(view.image(picture.expand(3, -1, -1))[:, :1])

    found = views[1].resample(on_cells(mask, views[0]), views[0])
    shown = on_cells(views[0].back(torch.ones(2, 240, 400))[1], views[1])  # beyond it nothing can be known
    assert int((shown == 1).sum()) > 30
    torch.testing.assert_close(found[shown == 1], on_cells(mask, views[1])[shown == 1], atol=0.04, rtol=0)
    assert float(found[shown == 0].sum()) < 0.5


def test_a_zoom_of_one_is_the_whole_frame(small_network):
    frames, mask = torch.rand(4, 3, 48, 80), torch.zeros(48, 80, dtype=torch.uint8)
    mask[10:22, 20:40] = 1
    plain, one = (Propagator(small_network, EveryN(interval=1), zoom=zoom) for zoom in (None, Zoom(most=1.0)))
    for t, frame in enumerate(frames):
        assert torch.equal(*(propagator.step(frame, mask if t == 0 else None) for propagator in (plain, one)))


def test_a_zoomed_video_is_the_video_of_its_windows(small_network):
    """While the window does not move, the result equals that of the cut frames."""
    frames, mask = torch.rand(2, 3, 64, 96), torch.zeros(64, 96, dtype=torch.uint8)
    mask[24:40, 36:60] = 1
    still = Zoom(most=2.0, margin=1.0)
    zoomed, whole = (
        Propagator(small_network, EveryN(interval=1), zoom=still),
        Propagator(small_network, EveryN(interval=1)),
    )
    window = still.window(object_boxes(mask, 1), None, (64, 96))
    view = View.of(window, (64, 96), (64, 96))
    for t, frame in enumerate(frames):
        shown = view.image(frame)[0]
        probs = zoomed.step(frame, mask if t == 0 else None)
        cut = whole.step(shown, view.labels(mask) if t == 0 else None)
    torch.testing.assert_close(probs, view.back(cut))  # a third would be seen through another window


def one_by_one(labels, num_objects, least):
    """`object_boxes` from a separate map of each object."""
    maps = [labels == k for k in range(1, num_objects + 1) if (labels == k).sum() >= least]
    if not maps:
        return ObjectBoxes(None, num_objects == 0)
    edges = []
    for dim in (1, 0):
        counts = torch.stack([shown.sum(dim=dim) for shown in maps]).float()
        share = counts.cumsum(dim=1) / counts.sum(dim=1, keepdim=True)
        edges += [float((share <= TAIL).sum(dim=1).min()), float((share < 1 - TAIL).sum(dim=1).max() + 1)]
    return ObjectBoxes((edges[0], edges[1], edges[2], edges[3]), len(maps) == num_objects)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_object_boxes_equal_those_of_separate_maps(dtype):
    generator = torch.Generator().manual_seed(0)
    for num_objects in (0, 1, 2, 5, 60, 254):
        labels = torch.randint(0, num_objects + 1, (7, 11), generator=generator)
        labels = labels.repeat_interleave(4, dim=0).repeat_interleave(3, dim=1).to(dtype)
        for least in (1, 16, 40):
            assert object_boxes(labels, num_objects, least) == one_by_one(labels, num_objects, least)


class Largest(TorchDispatchMode):
    """The elements of the largest tensor that an operation returns."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        self.elements = max(self.elements, out.numel() if isinstance(out, torch.Tensor) else 0)
        return out


@pytest.mark.parametrize("num_objects", [2, 50])
def test_object_boxes_make_no_map_of_each_object(num_objects):
    labels = (torch.arange(200 * 300).view(200, 300) // 1000).clamp(max=num_objects).to(torch.uint8)
    with Largest() as largest:
        assert object_boxes(labels, num_objects).all_seen
    assert largest.elements == labels.numel()  # a map of the frame, and none larger
