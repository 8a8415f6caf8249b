"""ResNet backbones: strides, batch norms in eval mode, and initial weights."""

import pytest
import torch
import torchvision

from vosmem.errors import InputError
from vosmem.networks.backbones import load_backbone_weights
from vosmem.networks.resnet import ResNetTrunk


@pytest.mark.parametrize("name", ["resnet10", "resnet18", "resnet50"])
def test_strides_and_channels(name):
    trunk = ResNetTrunk(name)
    f16, f8, f4 = trunk(torch.rand(1, 3, 32, 48))
    assert [tuple(f.shape) for f in (f4, f8, f16)] == [
        (1, trunk.channels[0], 8, 12),
        (1, trunk.channels[1], 4, 6),
        (1, trunk.channels[2], 2, 3),
    ]


def test_equals_torchvision_up_to_layer3():
    resnet = torchvision.models.resnet18(weights=None).eval()
    trunk = ResNetTrunk("resnet18").eval()
    trunk.load_state_dict(resnet.state_dict() | {"mean": trunk.mean, "std": trunk.std}, strict=False)
    image = torch.rand(1, 3, 32, 32)
    x = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1((image - trunk.mean) / trunk.std))))
    torch.testing.assert_close(trunk(image)[0], resnet.layer3(resnet.layer2(resnet.layer1(x))))


def test_batch_norms_stay_in_eval_mode():
    trunk = ResNetTrunk("resnet18", num_mask_channels=1).train()
    assert trunk.training and trunk.layer1.training
    before = {name: value.clone() for name, value in trunk.named_buffers()}
    optimizer = torch.optim.SGD(trunk.parameters(), lr=0.1)
    masks = torch.rand(2, 1, 32, 32)
    trunk.of_objects(torch.rand(2, 3, 32, 32), masks, owners=torch.arange(2)).square().mean().backward()
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in trunk.named_buffers())


@pytest.mark.parametrize("train_affine", [True, False])
def test_affine_is_a_parameter_either_way(train_affine):
    trunk = ResNetTrunk("resnet18", train_affine=train_affine)
    assert isinstance(trunk.bn1.weight, torch.nn.Parameter)
    assert all(norm.weight.requires_grad is train_affine for norm in trunk.batch_norms())


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("cut", [False, True])
def test_whole_and_cut_files_load(tmp_path, name, cut):
    state = getattr(torchvision.models, name)(weights=None).state_dict()
    if cut:
        state = {name: value for name, value in state.items() if not name.startswith(("layer4", "fc"))}
    torch.save(state, tmp_path / "weights.pth")
    trunk = ResNetTrunk(name, num_mask_channels=2)
    masks = trunk.mask_convs[0].weight.clone()
    load_backbone_weights(trunk, str(tmp_path / "weights.pth"), name)
    own = {key: value for key, value in trunk.state_dict().items() if not key.startswith(("mask_convs", "mean", "std"))}
    assert set(own) == {key for key in state if not key.startswith(("layer4", "fc"))}
    assert all(torch.equal(value, state[key]) for key, value in own.items())
    assert torch.equal(trunk.mask_convs[0].weight, masks)


def refuse(tmp_path, state, match):
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=match):
        load_backbone_weights(ResNetTrunk("resnet18"), str(tmp_path / "weights.pth"), "resnet18")


def test_unsuitable_files_are_refused(tmp_path):
    state = torchvision.models.resnet18(weights=None).state_dict()
    del state["layer2.0.conv1.weight"]
    refuse(tmp_path, state, "lacks 'layer2.0.conv1.weight'")
    refuse(tmp_path, torchvision.models.resnet50(weights=None).state_dict(), "do not fit resnet18")
    refuse(tmp_path, [1, 2], "not a state dict")
    (tmp_path / "weights.pth").write_bytes(b"junk")
    with pytest.raises(InputError, match="cannot be read"):
        load_backbone_weights(ResNetTrunk("resnet18"), str(tmp_path / "weights.pth"), "resnet18")
    with pytest.raises(InputError, match="not found"):
        load_backbone_weights(ResNetTrunk("resnet18"), str(tmp_path / "absent.pth"), "resnet18")


def test_a_failed_download_names_the_fix(monkeypatch):
    def no_network(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models.ResNet18_Weights.IMAGENET1K_V1, "get_state_dict", no_network, raising=False)
    monkeypatch.setattr(torchvision.models._api.WeightsEnum, "get_state_dict", no_network)
    with pytest.raises(InputError, match=r"model\.weights=PATH"):
        load_backbone_weights(ResNetTrunk("resnet18"), "imagenet", "resnet18")


def test_unknown_backbone():
    with pytest.raises(InputError, match="resnet18, resnet50"):
        ResNetTrunk("vgg")


def test_a_resnet10_has_no_imagenet_weights():
    with pytest.raises(InputError, match=r"\Atorchvision has no .*resnet10.*model\.weights=none.*\Z"):
        load_backbone_weights(ResNetTrunk("resnet10"), "imagenet", "resnet10")
