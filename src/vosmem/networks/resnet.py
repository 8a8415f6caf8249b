"""ResNet backbones up to stride 16."""

from collections.abc import Sequence

import torch
import torchvision
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.models.resnet import BasicBlock, ResNet

from vosmem.errors import InputError
from vosmem.networks.backbone import Backbone

# At strides 4, 8 and 16. A resnet10 has one block a stage where a resnet18 has two.
CHANNELS = {"resnet10": (64, 128, 256), "resnet18": (64, 128, 256), "resnet50": (256, 512, 1024)}


class ResNetTrunk(Backbone):
    """torchvision's ResNet without `layer4` and `fc`; each mask joins the image's first convolution by its own.

    Raises:
        InputError: the name is unknown.

    Source:
        STM section 3.1; the sum of the first convolutions is the published code's.
    """

    def __init__(self, name: str, num_mask_channels: int = 0, train_affine: bool = True):
        super().__init__()
        if name not in CHANNELS:
            raise InputError(f"unknown backbone {name!r}: use one of {', '.join(CHANNELS)}")
        if name == "resnet10":  # torchvision's blocks, but no constructor of its own
            resnet = ResNet(BasicBlock, [1, 1, 1, 1])
        else:
            resnet = torchvision.models.get_model(name, weights=None)
        self.channels = CHANNELS[name]
        self.conv1, self.bn1, self.relu, self.maxpool = resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool
        self.layer1: nn.Sequential = resnet.layer1
        self.layer2: nn.Sequential = resnet.layer2
        self.layer3: nn.Sequential = resnet.layer3
        self.mask_convs = nn.ModuleList(
            nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False) for _ in range(num_mask_channels)
        )
        self.set_train_affine(train_affine)
        self.train()

    def freeze(self, num_stages: int) -> None:
        """Exclude the first stages from training: 0 none, 1 the stem and `layer1`, 2 also `layer2`, 3 all."""
        if not 0 <= num_stages <= 3:
            raise InputError(f"frozen_stages={num_stages} is not possible: a ResNet has 3 stages, use 0 to 3")
        modules: list[nn.Module] = [self.conv1, self.bn1, self.layer1, self.layer2, self.layer3]
        for module in modules[: num_stages + 2 if num_stages else 0]:
            module.requires_grad_(False)

    def pretrained_state(self) -> dict[str, Tensor]:
        return {name: v for name, v in self.state_dict().items() if name.startswith(("conv1", "bn1", "layer"))}

    def download(self, name: str) -> dict[str, Tensor]:
        if name == "resnet10":
            raise InputError("torchvision has no ImageNet weights of resnet10: use model.weights=none or PATH")
        weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)

    @torch.no_grad()
    def fold_batch_norms(self) -> None:
        """Fold every batch norm into the convolution before it."""
        # The convolutions of image and masks are summed before the norm: all are scaled, one takes the shift.
        for conv in self.mask_convs:
            assert isinstance(conv, nn.Conv2d)
            _fold(conv, self.bn1, shift=False)
        _fold(self.conv1, self.bn1)
        self.bn1 = nn.Identity()
        for block in (*self.layer1, *self.layer2, *self.layer3):
            for name, norm in list(block.named_children()):
                if isinstance(norm, nn.BatchNorm2d):
                    _fold(getattr(block, name.replace("bn", "conv")), norm)
                    setattr(block, name, nn.Identity())
            if block.downsample is not None:
                _fold(block.downsample[0], block.downsample[1])
                block.downsample[1] = nn.Identity()

    def _stem(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C2 h2 w2"]:
        stem: Tensor = self.conv1(image)
        return stem

    def _join(self, stem: Float[Tensor, "O C2 h2 w2"], masks: Sequence[Tensor]) -> Float[Tensor, "O C2 h2 w2"]:
        for conv, mask in zip(self.mask_convs, masks, strict=True):
            stem = stem + conv(mask)
        return stem

    def _body(
        self, x: Float[Tensor, "O C2 h2 w2"]
    ) -> tuple[Float[Tensor, "O C16 h w"], Float[Tensor, "O C8 h8 w8"], Float[Tensor, "O C4 h4 w4"]]:
        f4 = self.layer1(self.maxpool(self.relu(self.bn1(x))))
        f8 = self.layer2(f4)
        return self.layer3(f8), f8, f4


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d, shift: bool = True) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    conv.weight, bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    conv.bias = bias if shift else None
