"""All backbones by name, and the weights that they start from."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from vosmem.errors import InputError
from vosmem.networks.backbone import Backbone, FeatureBackbone
from vosmem.networks.bundled import BUNDLED, FRAME_TRUNK, MASK_TRUNK, bundled_part
from vosmem.networks.resnet import CHANNELS, ResNetTrunk
from vosmem.networks.timm_features import TimmFeatures

# Further backbones: a name, and a constructor without arguments of `networks.backbone.Features`.
FEATURES: dict[str, Callable[[], nn.Module]] = {}
TIMM = "timm/"


def make_backbone(name: str, num_mask_channels: int = 0, train_affine: bool = True) -> Backbone:
    """Make a backbone for images and `num_mask_channels` masks.

    The name is a ResNet (`resnet10`, `resnet18`, `resnet50`), a key of `FEATURES`, or `timm/NAME` for a model of timm
    with features at strides 4, 8 and 16. `train_affine` sets whether scale and shift of the batch norms are trained.

    Raises:
        InputError: the name is unknown, timm is not installed, or its model has other strides.
    """
    if name in CHANNELS:
        return ResNetTrunk(name, num_mask_channels, train_affine)
    if name not in FEATURES and not name.startswith(TIMM):
        known = ", ".join([*CHANNELS, *FEATURES])
        raise InputError(f"unknown backbone {name!r}: use one of {known}, or timm/NAME for a model of timm")
    features = FEATURES[name]() if name in FEATURES else TimmFeatures(name.removeprefix(TIMM))
    return FeatureBackbone(features, num_mask_channels, train_affine)


@torch.no_grad()
def load_backbone_weights(backbone: Backbone, weights: str, name: str) -> None:
    """Start a backbone from trained weights; the mask convolutions keep their initialisation, except from `bundled`.

    Args:
        backbone: the backbone to fill.
        weights: `imagenet` (of torchvision or timm, downloaded or from their cache), `bundled` (the backbone of the
            network in the package, a ResNet-18 of frames or of frames with masks), `none`, or the path of a state
            dict; one of torchvision may hold further layers.
        name: name of the backbone, for messages and the download.

    Raises:
        InputError: the file is missing or is no state dict, an entry is missing or has another shape, or the download
            failed.
    """
    if weights == "none":
        return
    wanted = backbone.pretrained_state()
    if weights == BUNDLED:
        state = bundled_part(MASK_TRUNK if len(backbone.mask_convs) else FRAME_TRUNK)
        wanted |= {k: v for k, v in backbone.state_dict().items() if k.startswith("mask_convs.")}
    else:
        state = _download(backbone, name) if weights == "imagenet" else _read(Path(weights))
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    misshaped = [key for key, value in wanted.items() if key in state and state[key].shape != value.shape]
    if missing or misshaped:
        what = f"lacks {missing[0]!r}" if missing else f"has another shape for {misshaped[0]!r}"
        more = len(missing) + len(misshaped) - 1
        raise InputError(
            f"backbone weights {weights!r} do not fit {name}: the file {what}{f' and {more} more' if more else ''}; "
            f"use a state dict of {name}, whole or up to stride 16"
        )
    for key in wanted.keys() & state.keys():
        wanted[key].copy_(state[key])
    backbone.starts_random = False


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(
            f"backbone weights {str(path)!r} not found: use 'imagenet', 'bundled', 'none' or the path of a state dict"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"backbone weights {str(path)!r} cannot be read as a state dict of tensors") from error
    if not isinstance(state, dict):
        raise InputError(f"backbone weights {str(path)!r} hold a {type(state).__name__}, not a state dict")
    return state


def _download(backbone: Backbone, name: str) -> dict[str, Tensor]:
    try:
        return backbone.download(name)
    except InputError:
        raise
    except Exception as error:  # urllib, ssl and OS errors differ by platform; all mean the same to the user
        raise InputError(
            f"the ImageNet weights of {name} could not be downloaded ({type(error).__name__}): use model.weights=PATH "
            "with a state dict, or model.weights=none for random weights"
        ) from error
