"""Exact savings: folded batch norms, and work done once a frame instead of once an object."""

import pytest
import torch

from vosmem.networks import REMN, STM
from vosmem.networks.decoder import Decoder
from vosmem.networks.folding import fold_batch_norms
from vosmem.networks.resnet import ResNetTrunk


def perturbed(network):
    """Give the batch norms random statistics and weights, as after a training."""
    for trunk in network.trunks():
        for norm in trunk.batch_norms():
            for values in (norm.weight, norm.running_var):
                torch.nn.init.uniform_(values, 0.5, 1.5)
            for values in (norm.bias, norm.running_mean):
                torch.nn.init.normal_(values, std=0.1)
    return network.double().eval()


WIDTHS = {"key_channels": 8, "value_channels": 8, "decoder_channels": 8, "weights": "none"}
NETWORKS = {
    "stm_r18": lambda: STM(backbone="resnet18", **WIDTHS),
    "stm_r50": lambda: STM(backbone="resnet50", **WIDTHS),
    "remn_r18": lambda: REMN(backbone="resnet18", **WIDTHS, value_weights="none"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_folded_network_is_the_same_function(name):
    network = perturbed(NETWORKS[name]())
    before = {key: value.clone() for key, value in network.state_dict().items()}
    folded = fold_batch_norms(network)
    frames, masks = torch.rand(2, 1, 3, 32, 48, dtype=torch.float64), torch.rand(1, 2, 32, 48, dtype=torch.float64)
    answers = [
        one.segment(one.encode_query(frames[1]), one.encode_memory(frames[0], masks)) for one in (network, folded)
    ]
    torch.testing.assert_close(answers[1], answers[0])
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())


@pytest.mark.parametrize("with_gradients", [True, False])
def test_the_image_is_convolved_once_for_all_objects(with_gradients):
    trunk = ResNetTrunk("resnet18", num_mask_channels=2).double()
    images, masks = torch.rand(2, 3, 32, 32, dtype=torch.float64), torch.rand(2, 3, 1, 32, 32, dtype=torch.float64)
    owners, calls = torch.tensor([0, 1, 1]), {"image": [], "objects": []}
    trunk.conv1.register_forward_hook(lambda module, inputs, output: calls["image"].append(len(output)))
    trunk.layer1.register_forward_hook(lambda module, inputs, output: calls["objects"].append(len(output)))
    with torch.set_grad_enabled(with_gradients):
        together = trunk.of_objects(images, *masks, owners=owners)
    assert calls == {"image": [2], "objects": [3] if with_gradients else [1, 1, 1]}
    for row, of in enumerate(owners):
        single = trunk.of_objects(images[of : of + 1], *masks[:, row : row + 1], owners=torch.tensor([0]))
        torch.testing.assert_close(together[row : row + 1], single)


def test_objects_are_decoded_one_at_a_time_without_gradients():
    decoder = Decoder(value_channels=4, f8_channels=3, f4_channels=2, channels=5).double()
    shapes = [(3, 4, 2, 3), (2, 4, 2, 3), (2, 3, 4, 6), (2, 2, 8, 12)]
    inputs, owners = [torch.randn(shape, dtype=torch.float64) for shape in shapes], torch.tensor([0, 0, 1])
    rows = []
    decoder.block4.register_forward_hook(lambda module, arguments, output: rows.append(len(output)))
    together = decoder(*inputs, owners)
    with torch.no_grad():
        apart = decoder(*inputs, owners)
    torch.testing.assert_close(apart, together)
    assert rows == [3, 1, 1, 1]


def test_the_query_half_of_the_first_convolution_is_done_once():
    decoder = Decoder(value_channels=4, f8_channels=3, f4_channels=2, channels=5).double()
    readout, query_value = (torch.randn(rows, 4, 2, 3, dtype=torch.float64) for rows in (3, 2))
    owners = torch.tensor([0, 0, 1])
    whole = decoder.fuse(torch.cat([readout, query_value[owners]], dim=1))
    seen = []
    decoder.fuse_block.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    decoder(readout, query_value, *(torch.randn(2, c, 2 * s, 3 * s).double() for c, s in ((3, 2), (2, 4))), owners)
    torch.testing.assert_close(seen[0], whole)
