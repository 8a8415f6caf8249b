"""The interface of backbones: features of an image at strides 4, 8 and 16, with masks as further inputs.

To add a backbone, write a module as `Features` describes, in a file of its own, and name it in `FEATURES` of
`networks/backbones.py`. STM and REMN then accept the name: `FeatureBackbone` adds the mask inputs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vosmem.errors import InputError
from vosmem.ops.chunks import split_objects

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Features(Protocol):
    """An `nn.Module` that makes features of normalised images; its first `nn.Conv2d` sees the image.

    A module may have `mean` and `std` (three floats each) if its images are not normalised as ImageNet's are.

    Attributes:
        channels: number of channels at strides 4, 8 and 16.
    """

    channels: tuple[int, int, int]

    def __call__(self, image: Float[Tensor, "B 3 H W"]) -> Sequence[Float[Tensor, "B _ _ _"]]:
        """Return the features at strides 4, 8 and 16."""
        ...


class Backbone(nn.Module, ABC):
    """Turns images in [0, 1] into features at strides 4, 8 and 16.

    Batch norms always use their stored statistics, also in training: a batch holds few clips, and the published network
    was trained so. `.train()` therefore leaves every `BatchNorm2d` in eval mode.

    Attributes:
        channels: number of channels at strides 4, 8 and 16.
        mask_convs: for each mask input the convolution that joins it to the first convolution of the image.
        starts_random: whether no trained weights were loaded by `load_backbone_weights`. The batch norms of such a
            backbone have mean 0 and variance 1 until training calibrates them.
    """

    channels: tuple[int, int, int]
    mask_convs: nn.ModuleList

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD) -> None:
        super().__init__()
        self.starts_random = True
        self.mean = nn.Buffer(torch.tensor(mean).view(1, 3, 1, 1))
        self.std = nn.Buffer(torch.tensor(std).view(1, 3, 1, 1))

    @abstractmethod
    def freeze(self, num_stages: int) -> None:
        """Exclude the first stages from training: 0 for none, 3 for all (strides 4, 8 and 16).

        Raises:
            InputError: the number is not possible.
        """

    @abstractmethod
    def pretrained_state(self) -> dict[str, Tensor]:
        """Return the tensors that a file of pretrained weights fills, by their names in the file."""

    @abstractmethod
    def download(self, name: str) -> dict[str, Tensor]:
        """Fetch pretrained ImageNet weights, by the names of `pretrained_state`.

        Raises:
            InputError: there are none, or they cannot be downloaded.
        """

    def fold_batch_norms(self) -> None:
        """Fold batch norms into convolutions for inference; a backbone without this method keeps its norms."""

    def batch_norms(self) -> list[nn.BatchNorm2d]:
        """Return all batch norms."""
        return [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]

    def set_train_affine(self, train_affine: bool) -> None:
        """Set whether scale and shift of the batch norms are trained; they are parameters either way."""
        for norm in self.batch_norms():
            norm.requires_grad_(train_affine)

    def train(self, mode: bool = True) -> "Backbone":
        """Set the mode of all modules except batch norms, which stay in eval mode."""
        super().train(mode)
        for norm in self.batch_norms():
            norm.eval()
        return self

    def forward(
        self, image: Float[Tensor, "B 3 H W"]
    ) -> tuple[Float[Tensor, "B C16 h w"], Float[Tensor, "B C8 h8 w8"], Float[Tensor, "B C4 h4 w4"]]:
        """Return features at strides 16, 8 and 4 of RGB images in [0, 1]; H and W are multiples of 16."""
        return self._body(self._stem((image - self.mean) / self.std))

    def of_objects(
        self, image: Float[Tensor, "B 3 H W"], *masks: Float[Tensor, "O 1 H W"], owners: Int[Tensor, "O"]
    ) -> Float[Tensor, "O C16 h w"]:
        """Return features of objects at stride 16, from their masks (one tensor for each mask input).

        `owners` is the index of each object's image.
        """
        stem = self._stem((image - self.mean) / self.std)  # once an image, not once an object
        rows = split_objects(image.shape[2] * image.shape[3], owners, *masks)
        parts = [self._body(self._join(stem[of], [mask.to(self.mean.dtype) for mask in own]))[0] for of, *own in rows]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    @abstractmethod
    def _stem(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B _ _ _"]:
        """Compute what all objects of a normalised image share."""

    @abstractmethod
    def _join(self, stem: Float[Tensor, "O C _ _"], masks: Sequence[Tensor]) -> Float[Tensor, "O _ _ _"]:
        """Join the masks to the stem's output."""

    @abstractmethod
    def _body(
        self, x: Float[Tensor, "O _ _ _"]
    ) -> tuple[Float[Tensor, "O C16 h w"], Float[Tensor, "O C8 h8 w8"], Float[Tensor, "O C4 h4 w4"]]:
        """Compute the features at strides 16, 8 and 4."""


class FeatureBackbone(Backbone):
    """A backbone made of `Features`, whose first convolution gets the masks as further input channels.

    Raises:
        InputError: the module has no `nn.Conv2d` that sees an image of three channels.
    """

    def __init__(self, features: nn.Module, num_mask_channels: int = 0, train_affine: bool = True):
        super().__init__(getattr(features, "mean", IMAGENET_MEAN), getattr(features, "std", IMAGENET_STD))
        self.features = features
        self.channels = features.channels  # type: ignore[assignment]  # of the protocol
        first = next((name for name, module in features.named_modules() if isinstance(module, nn.Conv2d)), None)
        if first is None or features.get_submodule(first).in_channels != 3:
            raise InputError(f"{type(features).__name__} has no first convolution of an image: its input must be RGB")
        self._masked = f"{first}." if num_mask_channels else None
        if num_mask_channels:
            conv = features.get_submodule(first)
            assert isinstance(conv, nn.Conv2d)
            features.set_submodule(first, _MaskedConv(conv, num_mask_channels))
        self.set_train_affine(train_affine)
        self.train()

    @property
    def mask_convs(self) -> nn.ModuleList:  # type: ignore[override]  # part of the first convolution
        """The convolutions of the masks; they add to the image's."""
        if self._masked is None:
            return nn.ModuleList()
        masks = self.features.get_submodule(f"{self._masked}masks")
        assert isinstance(masks, nn.ModuleList)
        return masks

    def freeze(self, num_stages: int) -> None:
        if num_stages not in (0, 3):
            raise InputError(f"frozen_stages={num_stages} is only possible for ResNets: use 0 (none) or 3 (all)")
        if num_stages:
            self.features.requires_grad_(False)
            self.mask_convs.requires_grad_(True)

    def pretrained_state(self) -> dict[str, Tensor]:
        state = self.features.state_dict()
        if self._masked is None:
            return state
        image = f"{self._masked}image."
        return {
            name.replace(image, self._masked): value
            for name, value in state.items()
            if not name.startswith(f"{self._masked}masks.")
        }

    def download(self, name: str) -> dict[str, Tensor]:
        pretrained = getattr(self.features, "pretrained", None)
        if pretrained is None:
            raise InputError(f"{name} has no ImageNet weights: use weights=none or the path of a state dict")
        state: dict[str, Tensor] = pretrained()
        return state

    def _stem(self, image: Tensor) -> Tensor:
        return image

    def _join(self, stem: Tensor, masks: Sequence[Tensor]) -> Tensor:
        return torch.cat([stem, *masks], dim=1)

    def _body(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        f4, f8, f16 = self.features(x)
        return f16, f8, f4


class _MaskedConv(nn.Module):
    """The convolution of an image, plus one for each mask; trained weights of the image's stay as they are."""

    def __init__(self, conv: nn.Conv2d, num_masks: int):
        super().__init__()
        self.image = conv
        names = ("out_channels", "kernel_size", "stride", "padding", "dilation")
        settings: list[Any] = [getattr(conv, name) for name in names]
        make: Any = type(conv)  # convolutions of timm are subclasses
        self.masks = nn.ModuleList(make(1, *settings, bias=False) for _ in range(num_masks))

    def forward(self, x: Float[Tensor, "O C H W"]) -> Float[Tensor, "O C2 h w"]:
        image, *masks = x.split([3, *[1] * len(self.masks)], dim=1)
        return sum((conv(mask) for conv, mask in zip(self.masks, masks, strict=True)), self.image(image))
