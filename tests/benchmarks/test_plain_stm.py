"""The plain STM of the benchmarks repeats the golden runs of the published network and agrees with the engine."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from benchmarks.comparison import difference
from benchmarks.plain_stm import NUM_SLOTS, PlainSTM
from benchmarks.reference import PlainFrame

from tests.golden_video import video
from tests.reference_checkpoint import reference_state_dict
from vosmem.benchmark.cases import Case
from vosmem.benchmark.frame import EngineFrame
from vosmem.checkpoints.published import load_reference_stm
from vosmem.inference.engine.engine import Engine

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize(
    ("name", "seed", "arguments", "interval"),
    [
        pytest.param("stm_one_object", 5, (7, 240, 427, 1, 5), 2, marks=pytest.mark.slow),
        ("stm_two_objects", 14, (6, 203, 310, 2, 14), 5),
    ],
)
def test_plain_network_repeats_golden_runs(name, seed, arguments, interval):
    frames, labels = video(*arguments)
    num_objects, network = arguments[3], PlainSTM(reference_state_dict(seed))
    images = [torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255 for frame in frames]
    masks = F.one_hot(torch.from_numpy(labels[0]).long(), NUM_SLOTS).permute(2, 0, 1)[None].float()
    kept, probs = None, []
    for t in range(1, len(images)):
        new = network.memorize(images[t - 1], masks, num_objects)
        memory = new if kept is None else tuple(torch.cat(pair, dim=3) for pair in zip(kept, new, strict=True))
        masks = network.segment(images[t], *memory, num_objects).softmax(dim=1)
        if (t - 1) % interval == 0:
            kept = memory
        probs.append(masks[0, : num_objects + 1].numpy())
    golden = np.load(GOLDEN / f"{name}.npz")
    np.testing.assert_allclose(np.stack(probs)[:, :, ::16, ::16], golden["probs"], atol=1e-4)


def test_plain_network_and_engine_agree_on_the_same_frames(tmp_path):
    state, case = reference_state_dict(5), Case(num_objects=2, num_frames=3, height=72, width=100)
    torch.save(state, tmp_path / "weights.pth")
    settings = {"checkpoint": str(tmp_path / "weights.pth"), "device": "cpu"}
    plain = PlainFrame({**settings, "precision": "fp32"})
    exact = PlainFrame({**settings, "precision": "fp64"}).step(case)
    engine = Engine(torch.device("cpu"))
    step = case._replace(num_frames=1)
    own = EngineFrame(engine.ready(load_reference_stm(state)), engine, step).frame().numpy()
    errors = [difference(probs, exact)[0] for probs in (plain.step(case), own)]
    assert 0 < errors[1] < 5 * errors[0]
    plain.prepare(case)
    plain.frame()
    assert [part.shape[3] for part in plain.kept] == [2, 2]
