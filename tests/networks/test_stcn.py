"""STCN's decoder, and REMN on it: work shared by objects, and parts that change nothing when off."""

import pytest
import torch

from tests.end_to_end.tiny import TINY
from vosmem.checkpoints.reading import load_weights
from vosmem.commands.common import compose, make
from vosmem.errors import InputError
from vosmem.inference import Propagator
from vosmem.inference.engine.engine import Engine
from vosmem.memory.policy import EveryN
from vosmem.networks import REMN, LocalAttention
from vosmem.networks.fusion import ValueFusion
from vosmem.networks.stcn_decoder import STCNDecoder

SMALL = [*(override for override in TINY if override.startswith("model.")), "model.decoder_channels=4"]


def decoder():
    return STCNDecoder(value_channels=4, f8_channels=3, f4_channels=2, channels=5).double()


def inputs(rows=3, frames=2):
    shapes = [(rows, 4, 2, 3), (frames, 4, 2, 3), (frames, 3, 4, 6), (frames, 2, 8, 12)]
    return [torch.randn(shape, dtype=torch.float64) for shape in shapes]


def test_equals_a_decoder_that_shares_nothing():
    network, (readout, query_value, f8, f4), owners = decoder(), inputs(), torch.tensor([0, 0, 1])
    up = {"scale_factor": 2, "mode": "bilinear", "align_corners": False}
    for row, of in enumerate(owners):
        x = network.compress(torch.cat([readout[row : row + 1], query_value[of : of + 1]], dim=1))
        for skip, features, block in ((network.skip8, f8, network.block8), (network.skip4, f4, network.block4)):
            x = block(torch.nn.functional.interpolate(x, **up) + skip(features[of : of + 1]))
        logit = torch.nn.functional.interpolate(network.predict(x.relu()), **{**up, "scale_factor": 4})
        together = network(readout, query_value, f8, f4, owners)
        torch.testing.assert_close(together[row], logit[0, 0].sigmoid())


def test_what_depends_on_the_query_only_is_computed_once_a_frame():
    network, owners = decoder(), torch.tensor([0, 0, 1])
    rows = {"skip4": [], "block4": []}
    for name, seen in rows.items():
        getattr(network, name).register_forward_hook(lambda module, args, output, seen=seen: seen.append(len(output)))
    together = network(*(parts := inputs()), owners)
    with torch.no_grad():
        torch.testing.assert_close(network(*parts, owners), together)
    assert rows == {"skip4": [2, 2], "block4": [3, 1, 1, 1]}


def test_a_fusion_that_shares_the_frame_is_the_same_function():
    shared = ValueFusion(3, 5, 16, share_frame=True).double()
    apart = ValueFusion(3, 5, 16).double()
    apart.load_state_dict(shared.state_dict())
    objects, frames = torch.randn(3, 3, 4, 6, dtype=torch.float64), torch.randn(2, 5, 4, 6, dtype=torch.float64)
    owners = torch.tensor([0, 0, 1])
    torch.testing.assert_close(shared(objects, frames, owners), apart(objects, frames, owners))


def test_an_unknown_decoder_is_refused():
    widths = {"key_channels": 4, "value_channels": 4, "decoder_channels": 4, "weights": "none", "value_weights": "none"}
    with pytest.raises(InputError, match="unknown decoder 'x': use stm or stcn"):
        REMN(backbone="resnet18", **widths, decoder="x")


def test_remn_initialised_from_stcn_equals_it_with_all_parts_off():
    """As made by `experiment=remn_main initial_weights=stcn.pth model.gate=true`, with small widths."""
    small = [*SMALL, "model.value_weights=none", "model.backbone=resnet18"]
    stcn = make(compose("train", "model=stcn", *small).model).eval()
    fill = ["paths.output_dir=out", "paths.images=images", "model.gate=true"]
    remn = make(compose("train", "experiment=remn_main", *small, *fill).model).eval()
    assert remn.modulation is not None and remn.gate is not None and remn.local_attention.on
    load_weights(remn, stcn.state_dict(), "initial_weights", remn.additions)
    frames, mask = torch.rand(7, 3, 61, 94), torch.zeros(61, 94, dtype=torch.uint8)
    mask[10:40, 20:50], mask[30:60, 60:90] = 1, 2
    found = []
    for network, attention in ((stcn, None), (remn, LocalAttention()), (remn, LocalAttention(strength=0.5))):
        engine = Engine(torch.device("cpu"), local_attention=attention)
        propagator = Propagator(engine.ready(network), EveryN(interval=2))
        found.append(torch.stack([propagator.step(frame, mask if t == 0 else None) for t, frame in enumerate(frames)]))
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])  # filters that are not trained change nothing
