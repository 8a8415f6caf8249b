"""Backbones beyond ResNets: a stand-in for `Features` under a name of its own, and models of timm."""

import sys

import pytest
import torch
from torch import nn

from vosmem.errors import InputError
from vosmem.networks import REMN, STM, fold_batch_norms
from vosmem.networks.backbone import FeatureBackbone
from vosmem.networks.backbones import FEATURES, load_backbone_weights, make_backbone
from vosmem.networks.timm_features import STRIDES


class TinyFeatures(nn.Module):
    """The smallest backbone: a convolution of stride 4, and two of stride 2 with a batch norm."""

    channels = (4, 6, 8)

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, kernel_size=4, stride=4)
        self.second = nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU())
        self.third = nn.Sequential(nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU())

    def forward(self, image):
        f4 = self.first(image)
        f8 = self.second(f4)
        return f4, f8, self.third(f8)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setitem(FEATURES, "tiny", TinyFeatures)


WIDTHS = {"key_channels": 8, "value_channels": 8, "decoder_channels": 8, "weights": "none", "backbone": "tiny"}
NETWORKS = {"stm": lambda: STM(**WIDTHS), "remn": lambda: REMN(**WIDTHS, value_weights="none")}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_take_a_new_backbone_by_name(name):
    network = NETWORKS[name]()
    frames, masks = torch.rand(2, 1, 3, 32, 48), torch.rand(1, 2, 32, 48)

    def logits(network):
        return network.segment(network.encode_query(frames[1]), network.encode_memory(frames[0], masks))

    loss = logits(network).square().mean()
    loss.backward()
    assert all(conv.weight.grad.any() for trunk in network.trunks() for conv in trunk.mask_convs)
    with torch.no_grad():
        torch.testing.assert_close(logits(fold_batch_norms(network)), logits(network.eval()))


def test_masks_join_at_the_first_convolution():
    backbone = FeatureBackbone(TinyFeatures(), num_mask_channels=2)
    image, masks = torch.rand(1, 3, 32, 48), torch.rand(2, 3, 1, 32, 48)
    owners = torch.zeros(3, dtype=torch.int64)
    with torch.no_grad():
        apart = backbone.of_objects(image, *masks, owners=owners)
        empty = backbone.of_objects(image, *torch.zeros_like(masks), owners=owners)
    torch.testing.assert_close(backbone.of_objects(image, *masks, owners=owners), apart)
    plain = FeatureBackbone(TinyFeatures())
    for name, value in plain.pretrained_state().items():
        value.copy_(backbone.pretrained_state()[name])
    torch.testing.assert_close(empty, plain(image)[0].expand(3, -1, -1, -1))
    assert not torch.equal(apart[0], empty[0])


def test_weights_of_the_features_load_and_mask_convolutions_stay(tmp_path):
    torch.save((state := TinyFeatures().state_dict()), tmp_path / "tiny.pth")
    backbone = make_backbone("tiny", num_mask_channels=2)
    masks = backbone.mask_convs[0].weight.clone()
    load_backbone_weights(backbone, str(tmp_path / "tiny.pth"), "tiny")
    assert not backbone.starts_random and torch.equal(backbone.mask_convs[0].weight, masks)
    assert all(torch.equal(value, state[name]) for name, value in backbone.pretrained_state().items())
    with pytest.raises(InputError, match="tiny has no ImageNet weights: use weights=none"):
        load_backbone_weights(backbone, "imagenet", "tiny")


def test_norms_stay_in_eval_mode_and_features_freeze_as_a_whole():
    backbone = make_backbone("tiny", num_mask_channels=1, train_affine=False).train()
    assert [norm.training for norm in backbone.batch_norms()] == [False]
    assert not backbone.features.second[1].weight.requires_grad and backbone.features.second[0].weight.requires_grad
    with pytest.raises(InputError, match=r"frozen_stages=1 .* use 0 \(none\) or 3 \(all\)"):
        backbone.freeze(1)
    backbone.freeze(3)
    trained = {name for name, value in backbone.named_parameters() if value.requires_grad}
    assert trained == {"features.first.masks.0.weight"}


def test_features_without_an_image_are_refused():
    features = nn.Sequential(nn.Conv2d(1, 4, 1))
    features.channels = (4, 4, 4)
    with pytest.raises(InputError, match="Sequential has no first convolution of an image"):
        FeatureBackbone(features)


def test_without_timm_the_install_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"timm/resnet18 needs timm: pip install 'vosmem\[timm\]'"):
        make_backbone("timm/resnet18")


@pytest.mark.parametrize("model", ["mobilenetv3_small_050", "resnet18"])
def test_a_network_on_a_model_of_timm_segments(model):
    pytest.importorskip("timm")
    network = STM(**{**WIDTHS, "backbone": f"timm/{model}"})
    frames, masks = torch.rand(2, 1, 3, 32, 48), torch.rand(1, 2, 32, 48)
    f16, f8, f4 = network.query_encoder(frames[0])
    shapes = [
        (1, channels, 32 // stride, 48 // stride)
        for channels, stride in zip(network.query_encoder.channels, STRIDES, strict=True)
    ]
    assert [tuple(f.shape) for f in (f4, f8, f16)] == shapes
    memory = network.encode_memory(frames[0], masks)
    network.segment(network.encode_query(frames[1]), memory).square().mean().backward()
    assert network.memory_encoder.mask_convs[0].weight.grad.any()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("no_such_model", "unknown backbone timm/no_such_model"),
        ("hf-hub:somebody/something", "unknown backbone timm/hf-hub"),
        ("vit_tiny_patch16_224", "use a model with strides 4, 8 and 16"),
        ("swin_tiny_patch4_window7_224", "images of one size only"),
    ],
)
def test_unfit_models_of_timm_are_refused(model, message):
    pytest.importorskip("timm")
    with pytest.raises(InputError, match=message):
        make_backbone(f"timm/{model}")
