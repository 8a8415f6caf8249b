"""Which parts of a network learn, and how fast."""

from functools import partial

import pytest
import torch

from vosmem.errors import InputError
from vosmem.memory.policy import EveryN
from vosmem.networks import REMN, STM
from vosmem.training.losses import ClipCrossEntropy
from vosmem.training.modules import PretrainModule

WIDTHS = {"key_channels": 8, "value_channels": 16, "decoder_channels": 8, "weights": "none"}


def make_module(network, **options) -> PretrainModule:
    return PretrainModule(
        network=network, loss=ClipCrossEntropy(), optimizer=partial(torch.optim.SGD, lr=1.0),
        scheduler=partial(torch.optim.lr_scheduler.ConstantLR, factor=1.0), policy=EveryN(interval=5), **options,
    )  # fmt: skip


def rates(module: PretrainModule) -> dict[int, float]:
    groups = module.configure_optimizers()["optimizer"].param_groups
    return {id(parameter): group["lr"] for group in groups for parameter in group["params"]}


@pytest.mark.parametrize("network", [
    pytest.param(lambda: REMN(backbone="resnet18", value_weights="none", **WIDTHS), id="remn"),
    pytest.param(lambda: STM(backbone="resnet18", init="independent", **WIDTHS), id="stm"),
])  # fmt: skip
def test_the_encoder_that_reads_masks_learns_at_the_full_rate(network):
    module = make_module(network(), backbone_lr_factor=0.1, mask_lr_factor=3.0)
    frames, masked = module.network.trunks()
    rate = rates(module)
    assert {rate[id(p)] for p in frames.parameters()} == {0.1}
    assert {rate[id(p)] for p in masked.mask_convs.parameters()} == {3.0}
    assert {rate[id(p)] for p in masked.layer3.parameters()} == {1.0}
    assert {rate[id(p)] for p in module.network.decoder.parameters()} == {1.0}


def test_a_frozen_trunk_leaves_the_filters_of_masks_trainable():
    """Frozen as they start, at random, masks would hardly be read."""
    module = make_module(REMN(backbone="resnet18", value_weights="none", **WIDTHS), backbone_lr_factor=0.0)
    frames, masked = module.network.trunks()
    assert not any(p.requires_grad for p in frames.parameters())
    assert all(p.requires_grad for p in masked.mask_convs.parameters())
    assert not {id(p) for p in frames.parameters()} & rates(module).keys()


@pytest.mark.parametrize(("stages", "frozen"), [(0, ""), (1, "conv1 bn1 layer1"), (2, "conv1 bn1 layer1 layer2")])
def test_frozen_stages(stages, frozen):
    module = make_module(REMN(backbone="resnet18", value_weights="none", **WIDTHS), frozen_stages=stages)
    still = {name.split(".")[0] for name, p in module.network.trunks()[0].named_parameters() if not p.requires_grad}
    assert still == set(frozen.split())


def test_frozen_stages_above_three_are_refused():
    with pytest.raises(InputError, match="frozen_stages=4"):
        make_module(REMN(backbone="resnet18", value_weights="none", **WIDTHS), frozen_stages=4)
