"""Random weights in the layout of the published STCN checkpoint, drawn so that golden runs can be repeated anywhere.

The names and shapes are those of the published file (two-object variant); every number comes from numpy's PCG64, and
the order of the draws is part of the contract.
"""

from collections.abc import Iterator

import numpy as np
import torch

from tests.reference_checkpoint import Entry, norm_entries

KEY_STAGES = (("res2", 3, 64, 64, 256), ("layer2", 4, 128, 256, 512), ("layer3", 6, 256, 512, 1024))
VALUE_STAGES = (("layer1", 64, 64), ("layer2", 64, 128), ("layer3", 128, 256))
GAINS = {"key_proj": 0.25, "pred": 0.5, "key_comp": 1.0}


def stcn_entries() -> Iterator[Entry]:
    """The 405 names of the published file in its order, with their shapes."""
    yield from ((f"key_encoder.{name}", shape) for name, shape in _key_encoder())
    yield from ((f"value_encoder.{name}", shape) for name, shape in _value_encoder())
    yield from _conv("key_proj.key_proj", 64, 1024)
    yield from _conv("key_comp", 512, 1024)
    yield from _block("decoder.compress", 1024, 512)
    yield from _conv("decoder.up_16_8.skip_conv", 512, 512)
    yield from _block("decoder.up_16_8.out_conv", 512, 256)
    yield from _conv("decoder.up_8_4.skip_conv", 256, 256)
    yield from _block("decoder.up_8_4.out_conv", 256, 256)
    yield from _conv("decoder.pred", 1, 256)


def stcn_state_dict(seed: int) -> dict[str, torch.Tensor]:
    """A random checkpoint; equal seeds give equal weights."""
    rng = np.random.default_rng(seed)
    return {name: torch.from_numpy(_draw(rng, name, shape)) for name, shape in stcn_entries()}


def _key_encoder() -> Iterator[Entry]:
    yield "conv1.weight", (64, 3, 7, 7)
    yield from norm_entries("bn1", 64)
    for stage, blocks, width, channels_in, channels_out in KEY_STAGES:
        for block in range(blocks):
            prefix, first = f"{stage}.{block}", block == 0
            yield f"{prefix}.conv1.weight", (width, channels_in if first else channels_out, 1, 1)
            yield from norm_entries(f"{prefix}.bn1", width)
            yield f"{prefix}.conv2.weight", (width, width, 3, 3)
            yield from norm_entries(f"{prefix}.bn2", width)
            yield f"{prefix}.conv3.weight", (channels_out, width, 1, 1)
            yield from norm_entries(f"{prefix}.bn3", channels_out)
            if first:
                yield f"{prefix}.downsample.0.weight", (channels_out, channels_in, 1, 1)
                yield from norm_entries(f"{prefix}.downsample.1", channels_out)


def _value_encoder() -> Iterator[Entry]:
    yield from _conv("conv1", 64, 5, 7)
    yield from norm_entries("bn1", 64)
    for stage, channels_in, channels_out in VALUE_STAGES:
        for block in range(2):
            prefix = f"{stage}.{block}"
            yield from _conv(f"{prefix}.conv1", channels_out, channels_in if block == 0 else channels_out)
            yield from norm_entries(f"{prefix}.bn1", channels_out)
            yield from _conv(f"{prefix}.conv2", channels_out, channels_out)
            yield from norm_entries(f"{prefix}.bn2", channels_out)
            if block == 0 and channels_in != channels_out:
                yield from _conv(f"{prefix}.downsample.0", channels_out, channels_in, 1)
                yield from norm_entries(f"{prefix}.downsample.1", channels_out)
    yield from _block("fuser.block1", 1280, 512)
    for layer, channels_out, channels_in in ((1, 32, 512), (3, 512, 32)):
        yield f"fuser.attention.ChannelGate.mlp.{layer}.weight", (channels_out, channels_in)
        yield f"fuser.attention.ChannelGate.mlp.{layer}.bias", (channels_out,)
    yield from _conv("fuser.attention.SpatialGate.spatial.conv", 1, 2, 7)
    yield from _block("fuser.block2", 512, 512)


def _block(prefix: str, channels_in: int, channels_out: int) -> Iterator[Entry]:
    if channels_in != channels_out:
        yield from _conv(f"{prefix}.downsample", channels_out, channels_in)
    yield from _conv(f"{prefix}.conv1", channels_out, channels_in)
    yield from _conv(f"{prefix}.conv2", channels_out, channels_out)


def _conv(prefix: str, channels_out: int, channels_in: int, side: int = 3) -> Iterator[Entry]:
    yield f"{prefix}.weight", (channels_out, channels_in, side, side)
    yield f"{prefix}.bias", (channels_out,)


def _draw(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    parent, leaf = name.split(".")[-2:]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if len(shape) in (2, 4):
        value = rng.standard_normal(shape)
        if name.startswith("decoder") and len(shape) == 4:  # filters of zero mean, so that no class wins everywhere
            value -= value.mean(axis=(1, 2, 3), keepdims=True)
        value *= GAINS.get(parent, 1.414) / np.sqrt(int(np.prod(shape[1:])))
    elif leaf == "running_var":
        value = rng.uniform(0.5, 1.5, shape)
    elif leaf == "running_mean":
        value = 0.1 * rng.standard_normal(shape)
    elif leaf == "weight":  # of a batch norm; small where a residual sum would grow
        last = parent == "bn3" or (name.startswith("value_encoder") and parent == "bn2")
        value = (0.3 if last else 1.0) * rng.uniform(0.8, 1.2, shape)
    else:
        value = 0.05 * rng.standard_normal(shape)
    return value.astype(np.float32)
