"""Read the layout of the published STM weights."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from vosmem.checkpoints.models import filled_network
from vosmem.checkpoints.reading import read_checkpoint
from vosmem.networks.network import MemoryNetwork

# Published prefixes and those of this project; the first prefix that fits is replaced.
_PREFIXES = {
    "Encoder_M.conv1_m.": "memory_encoder.mask_convs.0.",
    "Encoder_M.conv1_o.": "memory_encoder.mask_convs.1.",
    "Encoder_M.res2.": "memory_encoder.layer1.",
    "Encoder_M.res3.": "memory_encoder.layer2.",
    "Encoder_M.res4.": "memory_encoder.layer3.",
    "Encoder_M.": "memory_encoder.",
    "Encoder_Q.res2.": "query_encoder.layer1.",
    "Encoder_Q.res3.": "query_encoder.layer2.",
    "Encoder_Q.res4.": "query_encoder.layer3.",
    "Encoder_Q.": "query_encoder.",
    "KV_M_r4.Key.": "memory_head.key.",
    "KV_M_r4.Value.": "memory_head.value.",
    "KV_Q_r4.Key.": "query_head.key.",
    "KV_Q_r4.Value.": "query_head.value.",
    "Decoder.convFM.": "decoder.fuse.",
    "Decoder.ResMM.": "decoder.fuse_block.",
    "Decoder.RF3.convFS.": "decoder.skip8.conv.",
    "Decoder.RF3.ResFS.": "decoder.skip8.block.",
    "Decoder.RF3.ResMM.": "decoder.block8.",
    "Decoder.RF2.convFS.": "decoder.skip4.conv.",
    "Decoder.RF2.ResFS.": "decoder.skip4.block.",
    "Decoder.RF2.ResMM.": "decoder.block4.",
    "Decoder.pred2.": "decoder.predict.",
}


PUBLISHED_MODEL = {
    "_target_": "vosmem.networks.STM",
    "backbone": "resnet50",
    "key_channels": 128,
    "value_channels": 512,
    "decoder_channels": 256,
    "weights": "none",
}
LICENCE = "the published STM weights are their authors' under CC BY-NC-SA: no commercial use, share alike, name them"


def load_reference_stm(source: str | Path | Mapping[str, Tensor]) -> MemoryNetwork:
    """Load weights in the layout of the published `STM_weights.pth` (ResNet-50, 558 entries).

    Args:
        source: path of the file, or its state dict; names with or without the prefix `module.`; `num_batches_tracked`
            may be absent.

    Returns:
        the network in eval mode.

    Raises:
        InputError: the file cannot be read, or an entry is missing, left over or of another shape.

    Source:
        the names and shapes of the published file. It is licensed CC BY-NC-SA by its authors.
    """
    state = read_checkpoint(source) if isinstance(source, (str, Path)) else source
    return filled_network(PUBLISHED_MODEL, own_names(state), "the reference checkpoint")


def own_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of the published layout under the names of this project."""
    return {renamed(name.removeprefix("module."), _PREFIXES): tensor for name, tensor in state.items()}


def renamed(name: str, prefixes: Mapping[str, str]) -> str:
    """The name with the first of the prefixes that it has replaced."""
    for prefix, own in prefixes.items():
        if name.startswith(prefix):
            return own + name.removeprefix(prefix)
    return name
