"""Read the layout of the published STCN weights."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from vosmem.checkpoints.models import filled_network
from vosmem.checkpoints.published import renamed
from vosmem.checkpoints.reading import check_tensors, read_checkpoint
from vosmem.errors import InputError
from vosmem.networks.backbone import IMAGENET_MEAN, IMAGENET_STD
from vosmem.networks.network import MemoryNetwork

# Published prefixes and those of this project; the first prefix that fits is replaced.
_PREFIXES = {
    "key_encoder.res2.": "key_encoder.layer1.",
    "value_encoder.fuser.block1.": "fusion.reduce.",
    "value_encoder.fuser.block2.": "fusion.block.",
    "value_encoder.fuser.attention.ChannelGate.mlp.1.": "fusion.attention.channel.0.",
    "value_encoder.fuser.attention.ChannelGate.mlp.3.": "fusion.attention.channel.2.",
    "value_encoder.fuser.attention.SpatialGate.spatial.conv.": "fusion.attention.spatial.",
    "key_proj.key_proj.": "key.",
    "key_comp.": "query_value.",
    "decoder.up_16_8.skip_conv.": "decoder.skip8.",
    "decoder.up_16_8.out_conv.": "decoder.block8.",
    "decoder.up_8_4.skip_conv.": "decoder.skip4.",
    "decoder.up_8_4.out_conv.": "decoder.block4.",
    "decoder.pred.": "decoder.predict.",
}
_STEM = "value_encoder.conv1.weight"
_SPATIAL = "value_encoder.fuser.attention.SpatialGate.spatial.conv.weight"
_COLOURS = 3  # input channels of the stem before the masks
_MASKS = 2  # the object's mask, and the sum of the other objects'

PUBLISHED_MODEL = {
    "_target_": "vosmem.networks.REMN",
    "backbone": "resnet50",
    "key_channels": 64,
    "value_channels": 512,
    "decoder_channels": 256,
    "decoder": "stcn",
    "weights": "none",
    "value_weights": "none",
    "conventions": {
        "_target_": "vosmem.networks.Conventions",
        "top_k": 20,
        "include_last": False,
        "short_side": 480,
        "zoom": 1.0,
        "border": "mean",
        "border_masks": True,
        "aggregate_given": True,
    },
}
LICENCE = (
    "the published STCN weights are their authors' (Cheng, Tai and Tang, hkchengrex/STCN on GitHub) under the MIT "
    "licence: keep its notice"
)


def load_reference_stcn(source: str | Path | Mapping[str, Tensor]) -> MemoryNetwork:
    """Load weights in the layout of the published `stcn.pth` (405 entries).

    Args:
        source: path of the file, or its state dict; names with or without the prefix `module.`; `num_batches_tracked`
            may be absent. In the variant for a single object, whose value encoder has no input for the other objects'
            mask, the weights of that input are zero.

    Returns:
        the network in eval mode, with the published inference settings as its `conventions`.

    Raises:
        InputError: the file cannot be read, or an entry is missing, left over or of another shape.

    Source:
        the names and shapes of the published file. It is under the MIT licence of its authors.
    """
    state = check_tensors(read_checkpoint(source), str(source)) if isinstance(source, (str, Path)) else source
    return filled_network(PUBLISHED_MODEL, own_entries(state), "the reference checkpoint")


def is_published_stcn(state: Mapping[str, object]) -> bool:
    """Whether entries are named as in the published STCN, with or without `module.`."""
    return any(name.removeprefix("module.").startswith(("key_proj.", "value_encoder.fuser.")) for name in state)


def own_entries(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of the published layout under the names of this project.

    Mean and standard deviation of the normalisation are added. Three kinds of entries differ beyond their names. The
    value encoder's convolutions have biases before batch norms, which the norms' running means take over (`norm(x + b)`
    is `norm(x)` with a mean lower by b). Its stem is one convolution of image and masks, here one convolution of each.
    Its spatial attention takes the maximum before the mean, here the mean comes first.

    Raises:
        InputError: an entry of the value encoder's stem or spatial attention, or one of its biases, has another shape.
    """
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    _split_stem(state)
    _fold_biases(state)
    if _SPATIAL in state:
        _check_shape(state, _SPATIAL, (1, 2, 7, 7))
        state[_SPATIAL] = state[_SPATIAL].flip(1)
    return {**_normalisation(), **{renamed(name, _PREFIXES): tensor for name, tensor in state.items()}}


def _normalisation() -> dict[str, Tensor]:
    """The published code normalises frames before the network; here the network normalises them."""
    values = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    return {
        f"{encoder}.{name}": torch.tensor(value).view(1, -1, 1, 1)
        for encoder in ("key_encoder", "value_encoder")
        for name, value in values.items()
    }


def _split_stem(state: dict[str, Tensor]) -> None:
    """Split the stem into a convolution of the image and one of each mask; a missing input gets zeros."""
    if _STEM not in state:
        return  # reported as missing with all other entries
    stem = state[_STEM]
    if stem.ndim != 4 or stem.shape[1] not in (_COLOURS + 1, _COLOURS + _MASKS):
        raise InputError(
            f"the reference checkpoint does not fit the network: {_STEM!r} has shape {tuple(stem.shape)}, expected "
            f"(64, 5, 7, 7), or (64, 4, 7, 7) for a single object"
        )
    if stem.shape[1] == _COLOURS + 1:
        stem = torch.cat([stem, torch.zeros_like(stem[:, :1])], dim=1)
    state[_STEM] = stem[:, :_COLOURS]
    for index in range(_MASKS):
        channel = _COLOURS + index
        state[f"value_encoder.mask_convs.{index}.weight"] = stem[:, channel : channel + 1]


def _fold_biases(state: dict[str, Tensor]) -> None:
    """Fold the biases of the value encoder's convolutions into the running means of the batch norms after them."""
    for name in [name for name in state if name.startswith("value_encoder.") and _norm_after(name) is not None]:
        mean = f"{_norm_after(name)}.running_mean"
        if mean in state:  # otherwise reported as missing with all other entries
            bias = state.pop(name)
            _check_shape({name: bias}, name, tuple(state[mean].shape))
            state[mean] = (state[mean].double() - bias.double()).to(state[mean].dtype)


def _norm_after(name: str) -> str | None:
    """Name of the batch norm after the convolution that a bias belongs to; None for other entries."""
    module, _, leaf = name.rpartition(".")
    parent, _, conv = module.rpartition(".")
    if leaf != "bias" or ".fuser." in name:
        return None
    if conv.startswith("conv"):
        return f"{parent}.bn{conv.removeprefix('conv')}"
    return f"{parent}.1" if parent.endswith("downsample") and conv == "0" else None


def _check_shape(state: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> None:
    if tuple(state[name].shape) != shape:
        raise InputError(
            f"the reference checkpoint does not fit the network: {name!r} has shape {tuple(state[name].shape)}, "
            f"expected {shape}"
        )
