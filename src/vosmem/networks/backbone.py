"""ResNet trunks up to stride 16, with batch norm held still."""

from pathlib import Path

import torch
import torchvision
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

from vosmem.errors import InputError
from vosmem.networks.bundled import BUNDLED, FRAME_TRUNK, MASK_TRUNK, bundled_part

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Of f4, f8 and f16. A resnet10 has one block a stage where a resnet18 has two.
CHANNELS = {"resnet10": (64, 128, 256), "resnet18": (64, 128, 256), "resnet50": (256, 512, 1024)}


class ResNetTrunk(nn.Module):
    """torchvision's ResNet without `layer4` and `fc`: an image in [0, 1] becomes features at strides 4, 8 and 16.

    Batch norm always runs on its stored statistics, also in training: a batch holds few clips, and the published
    network was trained so. `.train()` therefore leaves every `BatchNorm2d` in eval mode.

    Args:
        name: `resnet10`, `resnet18` or `resnet50`.
        num_mask_channels: further one-channel inputs (masks) that join the image before the first batch norm, each
            by its own 7x7 convolution.
        train_affine: whether scale and shift of the batch norms are trained. They stay parameters either way.

    Attributes:
        starts_random: whether no trained weights were loaded by `load_backbone_weights`. The batch norms of such a
            trunk have mean 0 and variance 1 until training calibrates them.

    Raises:
        InputError: the name is unknown.

    Source:
        STM section 3.1; the summed stem convolutions are the published code's.
    """

    def __init__(self, name: str, num_mask_channels: int = 0, train_affine: bool = True):
        super().__init__()
        if name not in CHANNELS:
            raise InputError(f"unknown backbone {name!r}: use one of {', '.join(CHANNELS)}")
        resnet = _resnet(name)
        self.channels = CHANNELS[name]
        self.starts_random = True
        self.mean = nn.Buffer(torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.std = nn.Buffer(torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        self.conv1, self.bn1, self.relu, self.maxpool = resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool
        self.layer1: nn.Sequential = resnet.layer1
        self.layer2: nn.Sequential = resnet.layer2
        self.layer3: nn.Sequential = resnet.layer3
        self.mask_convs = nn.ModuleList(
            nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False) for _ in range(num_mask_channels)
        )
        for norm in self.batch_norms():
            norm.weight.requires_grad_(train_affine)
            norm.bias.requires_grad_(train_affine)
        self.train()

    def batch_norms(self) -> list[nn.BatchNorm2d]:
        """All batch norms of the trunk."""
        return [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]

    def train(self, mode: bool = True) -> "ResNetTrunk":
        """As `nn.Module.train`, but batch norm stays in eval mode."""
        super().train(mode)
        for norm in self.batch_norms():
            norm.eval()
        return self

    def freeze(self, num_stages: int) -> None:
        """Leave the first stages out of training: 0 none, 1 the stem and `layer1`, 2 also `layer2`, 3 all.

        Raises:
            InputError: there is no such number of stages.
        """
        stages: list[nn.Module] = [self.conv1, self.bn1, self.layer1, self.layer2, self.layer3]
        if not 0 <= num_stages <= 3:
            raise InputError(f"frozen_stages={num_stages} is not possible: a trunk has 3 stages, use 0 to 3")
        for stage in stages[: num_stages + 2 if num_stages else 0]:
            stage.requires_grad_(False)

    def forward(
        self, image: Float[Tensor, "B 3 H W"]
    ) -> tuple[Float[Tensor, "B C16 h w"], Float[Tensor, "B C8 h8 w8"], Float[Tensor, "B C4 h4 w4"]]:
        """Features of images at strides 16, 8 and 4; RGB in [0, 1], H and W multiples of 16."""
        return self._after_stem(self.conv1((image - self.mean) / self.std))

    def of_objects(
        self, image: Float[Tensor, "B 3 H W"], *masks: Float[Tensor, "O 1 H W"], owners: Int[Tensor, "O"]
    ) -> Float[Tensor, "O C16 h w"]:
        """Features of objects at stride 16.

        Args:
            image: RGB in [0, 1]; H and W multiples of 16.
            masks: one for each of `num_mask_channels`.
            owners: the image that each row of the masks belongs to.
        """
        stem = self.conv1((image - self.mean) / self.std)  # once an image, not once an object
        # Without gradients one object at a time, whose large maps need not stay.
        rows = [(owners, *masks)]
        if not torch.is_grad_enabled():
            rows = list(zip(owners.split(1), *(mask.split(1) for mask in masks), strict=True))
        parts = []
        for of, *own in rows:
            x = stem[of]
            for conv, mask in zip(self.mask_convs, own, strict=True):
                x = x + conv(mask.to(self.mean.dtype))  # in float64, where the whole network is
            parts.append(self._after_stem(x)[0])
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _after_stem(
        self, x: Float[Tensor, "O C2 h2 w2"]
    ) -> tuple[Float[Tensor, "O C16 h w"], Float[Tensor, "O C8 h8 w8"], Float[Tensor, "O C4 h4 w4"]]:
        f4 = self.layer1(self.maxpool(self.relu(self.bn1(x))))
        f8 = self.layer2(f4)
        return self.layer3(f8), f8, f4


def _resnet(name: str) -> ResNet:
    if name == "resnet10":  # torchvision's blocks, but no constructor of its own
        return ResNet(BasicBlock, [1, 1, 1, 1])
    resnet: ResNet = getattr(torchvision.models, name)(weights=None)
    return resnet


def load_backbone_weights(trunk: ResNetTrunk, weights: str, name: str) -> None:
    """Start a trunk from trained weights; the mask convolutions keep their own initialisation, unless it is `bundled`.

    Args:
        trunk: the trunk to fill.
        weights: `imagenet` (torchvision's ImageNet-1k V1, downloaded or from its cache), `bundled` (the trunk of the
            network that comes with the package: a ResNet-18 that reads frames, or frames with masks), `none`, or the
            path of a torchvision `state_dict`, whole or cut after `layer3`.
        name: the backbone's name, for the download and for messages.

    Raises:
        InputError: the file is missing, is no state dict, or lacks or misshapes an entry of the trunk; or the
            download failed.
    """
    if weights == "none":
        return
    parts = ["conv1", "bn1", "layer"]
    if weights == BUNDLED:
        state = bundled_part(MASK_TRUNK if trunk.mask_convs else FRAME_TRUNK)
        parts.append("mask_convs")
    else:
        state = _download(name) if weights == "imagenet" else _read(Path(weights))
    wanted = {key: value for key, value in trunk.state_dict().items() if key.startswith(tuple(parts))}
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    misshaped = [key for key, value in wanted.items() if key in state and state[key].shape != value.shape]
    if missing or misshaped:
        what = f"lacks {missing[0]!r}" if missing else f"has another shape for {misshaped[0]!r}"
        more = len(missing) + len(misshaped) - 1
        raise InputError(
            f"backbone weights {weights!r} do not fit {name}: the file {what}{f' and {more} more' if more else ''}; "
            f"pass a torchvision {name} state dict, whole or up to layer3"
        )
    trunk.load_state_dict({key: state[key] for key in wanted if key in state}, strict=False)
    trunk.starts_random = False


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(
            f"backbone weights {str(path)!r} not found: pass 'imagenet', 'bundled', 'none' or the path of a state dict"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"backbone weights {str(path)!r} cannot be read as a state dict of tensors") from error
    if not isinstance(state, dict):
        raise InputError(f"backbone weights {str(path)!r} hold a {type(state).__name__}, not a state dict")
    return state


def _download(name: str) -> dict[str, Tensor]:
    if name == "resnet10":
        raise InputError("torchvision has no ImageNet weights of resnet10: pass model.weights=none or the path of some")
    weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    try:
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # urllib, ssl and OS errors differ by platform; all mean the same to the user
        raise InputError(
            f"the ImageNet weights of {name} could not be downloaded ({type(error).__name__}): pass "
            f"model.weights=PATH with a torchvision state dict, or model.weights=none to start from random"
        ) from error
