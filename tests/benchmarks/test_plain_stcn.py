"""The plain STCN of the benchmarks repeats a golden run of the published network and agrees with the engine."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.plain_stcn import PlainSTCN, aggregate, border
from benchmarks.stcn_speed import PlainFrame, largest_difference, pairs

from tests.golden_video import video
from tests.reference_stcn import stcn_state_dict
from vosmem.benchmark.cases import Case
from vosmem.benchmark.frame import EngineFrame
from vosmem.checkpoints import load_reference_stcn
from vosmem.inference.engine.engine import Engine

GOLDEN = Path(__file__).parent.parent / "golden"
SEED, ARGUMENTS, INTERVAL = 90, (6, 140, 200, 3), 2


def test_plain_network_repeats_a_golden_run():
    frames, labels = video(*ARGUMENTS, SEED)
    network, sides = PlainSTCN(stcn_state_dict(SEED)), border(*ARGUMENTS[1:3])
    given = F.one_hot(torch.from_numpy(labels[0]).long(), ARGUMENTS[3] + 1).permute(2, 0, 1)[1:, None].float()
    masks = aggregate(F.pad(given, sides))[1:]
    kept, probs = None, []
    for t in range(1, len(frames)):
        images = [torch.from_numpy(frames[i]).permute(2, 0, 1)[None].float() / 255 for i in (t - 1, t)]
        if (t - 1) % INTERVAL == 0:
            new = network.memorize(network.encode(images[0]), masks)
            kept = new if kept is None else tuple(torch.cat(pair, dim=2) for pair in zip(kept, new, strict=True))
        found = network.segment(network.encode(images[1]), *kept)
        masks = found[1:]
        probs.append(found[:, 0, sides[2] : found.shape[2] - sides[3], sides[0] : found.shape[3] - sides[1]].numpy())
    golden = np.load(GOLDEN / "stcn_three_objects.npz")
    np.testing.assert_allclose(np.stack(probs)[:, :, ::16, ::16], golden["probs"], atol=2e-4)


def test_plain_network_and_engine_agree_on_the_same_frames():
    state, engine = stcn_state_dict(SEED), Engine(torch.device("cpu"))
    plain, network = PlainSTCN(state), engine.ready(load_reference_stcn(state))
    case = Case(num_objects=2, num_frames=2, height=72, width=100)
    found = pairs(PlainFrame(plain, case), EngineFrame(network, engine, case), 1)
    assert all(first > 0 and second > 0 for first, second in found)
    step = case._replace(num_frames=1)
    assert largest_difference(PlainFrame(plain, step), EngineFrame(network, engine, step)) < 2e-4
