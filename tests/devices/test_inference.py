"""Inference on every device: equal to the CPU in float32, in every way that users call it."""

import pytest
import torch

from tests.golden_video import video
from vosmem.inference.engine.engine import Engine
from vosmem.inference.propagation.attention_maps import AttentionTracer
from vosmem.inference.propagation.ensemble import make_propagator
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.inference.sequences.confidence import ConfidenceTracker
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.memory.policy import Adaptive, EveryN
from vosmem.ops.aggregation import soft_aggregate
from vosmem.ops.masks import overwrite

CPU = Engine(torch.device("cpu"))
FRAMES, LABELS = video(5, 48, 72, 2, 4)
EVERY_SECOND = EveryN(interval=2)


def images(device):
    return torch.from_numpy(FRAMES).permute(0, 3, 1, 2).to(device).float() / 255


def run(network, engine, policy=EVERY_SECOND, mask_device="cpu", **settings):
    """The probabilities of all frames, and the propagator after the last."""
    propagator = make_propagator(engine.ready(network), policy, **settings)
    with engine.context():
        mask = torch.from_numpy(LABELS[0]).to(mask_device)
        found = [propagator.step(image, mask if t == 0 else None) for t, image in enumerate(images(engine.device))]
    return torch.stack(found), propagator


def test_every_precision_agrees(network, setting):
    found, _ = run(network, setting.engine)
    expected, _ = run(network, CPU)
    assert found.device.type == setting.device.type and found.dtype == torch.float32
    setting.close(found, expected)
    setting.close(found.sum(dim=1), torch.ones(5, 48, 72))


@pytest.mark.parametrize(
    "settings",
    [
        {"zoom": Zoom()},
        {"short_side": 32, "flip": True},
        {"policy": Adaptive(threshold=0.0, least_interval=1)},
        {"policy": Adaptive(threshold=0.0, least_interval=1, aligned=True, include_last=True)},
        {"policy": EveryN(interval=1, max_frames=3, eviction="usage")},
        {"policy": EveryN(interval=1, max_frames=3, eviction="novelty")},
        {"policy": EveryN(interval=1, max_frames=3, eviction="random")},
        {"policy": EveryN(interval=1, gated=True)},
        {"policy": EveryN(interval=1, budget_mb=0.01)},
    ],
    ids=["zoom", "ensemble", "adaptive", "aligned", "usage", "novelty", "random", "gate", "budget"],
)
def test_every_mechanism_decides_alike(gated, whole, settings):
    found, propagator = run(gated, whole.engine, mask_device=whole.device, **settings)
    expected, on_cpu = run(gated, CPU, **settings)
    assert propagator.memory_frames == on_cpu.memory_frames and propagator.memory_bytes == on_cpu.memory_bytes
    whole.close(found, expected)


def test_objects_permute(gated, setting):
    engine, frames = setting.engine, images(setting.device)
    propagators = [Propagator(engine.ready(gated), EVERY_SECOND) for _ in range(2)]
    labels = torch.from_numpy(LABELS[0])
    with engine.context():
        for t, frame in enumerate(frames[:3]):
            masks = (labels, (3 - labels) % 3) if t == 0 else (None, None)
            found, swapped = (p.step(frame, mask) for p, mask in zip(propagators, masks, strict=True))
    setting.close(swapped[[0, 2, 1]], found.cpu())


def test_aggregated_and_given_masks_are_distributions(setting):
    """Probabilities of 0 and 1 stay finite in every type."""
    probs = torch.tensor([0.0, 1.0, 0.5], device=setting.device, dtype=setting.dtype).expand(1, 2, 3)
    merged = soft_aggregate(probs).softmax(dim=1)
    assert bool(merged.isfinite().all())
    setting.close(merged.sum(dim=1), torch.ones(1, 3))
    labels = torch.tensor([[0, 1, 3]], device=setting.device)
    found = overwrite(merged[0][:, None], labels, 3, whole=True, absent=(2,))
    setting.close(found.sum(dim=0), torch.ones(1, 3))


def test_a_stream_takes_arrays_and_prompts(gated, whole):
    """As Python users and the service call it; masks, boxes and labels come as arrays of the CPU."""
    segmenter = Segmenter(gated, whole.engine)
    first = segmenter.first_mask(FRAMES[0], boxes=[[8, 4, 30, 30]])
    expected = Segmenter(gated, CPU).first_mask(FRAMES[0], boxes=[[8, 4, 30, 30]])
    assert (first.ids == expected.ids).mean() > 0.99
    for found in segmenter.propagate(iter(FRAMES[:3]), {0: LABELS[0] * 7, 2: LABELS[2] * 7}):
        assert found.ids.device.type == "cpu" and found.objects == (7, 14)
        assert found.probs.device.type == whole.device.type


def test_a_saved_stream_continues_on_the_cpu(gated, whole, tmp_path):
    """The memory of a GPU is loaded where there is none."""
    policy = EveryN(interval=1, max_frames=3, eviction="usage")
    streams = [Segmenter(gated, engine).stream(policy, zoom=2.0) for engine in (whole.engine, CPU)]
    for t, frame in enumerate(FRAMES[:3]):
        streams[0].step(frame, LABELS[0] if t == 0 else None)
    streams[0].save(tmp_path / "stream.pt")
    streams[1].restore(tmp_path / "stream.pt")
    for frame in FRAMES[3:]:
        found, expected = (stream.step(frame) for stream in streams)
    whole.close(found.probs, expected.probs)


def test_attention_and_confidence_are_numbers_of_the_cpu(gated, whole):
    results = []
    for engine in (whole.engine, CPU):
        propagator = Propagator(engine.ready(gated), EVERY_SECOND)
        tracer, tracker = AttentionTracer(propagator), ConfidenceTracker({1: 100, 2: 100})
        with engine.context():
            for t, image in enumerate(images(engine.device)[:4]):
                probs = propagator.step(image, torch.from_numpy(LABELS[0]) if t == 0 else None)
            maps = tracer.maps([(20, 20), (30, 40)], 2, (48, 72))
        rows = tracker.update(3, probs, probs.argmax(dim=0).byte().cpu(), {1: False, 2: False})
        results.append((maps, torch.tensor([row.entropy for row in rows])))
    (found, entropy), (expected, expected_entropy) = results
    assert found.frames == expected.frames and found.maps.device.type == "cpu"
    whole.close(found.maps, expected.maps)
    whole.close(entropy, expected_entropy, factor=10)


def test_a_limited_memory_does_not_grow(gated, setting):
    """The bank's size is constant on every device; on CUDA the allocated memory is, too."""
    engine = setting.engine
    propagator = Propagator(engine.ready(gated), EveryN(interval=1, max_frames=3, dtype="bf16"))
    sizes, allocated = [], []
    with engine.context():
        for t, image in enumerate(images(setting.device).repeat(2, 1, 1, 1)):
            propagator.step(image, torch.from_numpy(LABELS[0]) if t == 0 else None)
            sizes.append(propagator.memory_bytes)
            allocated.append(torch.cuda.memory_allocated() if setting.device.type == "cuda" else 0)
    assert len(propagator.memory_frames) == 3
    assert len(set(sizes[6:])) == 1 and len(set(allocated[6:])) == 1
