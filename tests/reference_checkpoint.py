"""Random weights in the layout of the published STM checkpoint, drawn so that the golden runs can be repeated anywhere.

The names and shapes are those of the published file; every number comes from numpy's PCG64, and the order of the draws
is part of the contract.
"""

from collections.abc import Iterator

import numpy as np
import torch

Entry = tuple[str, tuple[int, ...]]

STAGES = (("res2", 3, 64, 64, 256), ("res3", 4, 128, 256, 512), ("res4", 6, 256, 512, 1024))
GAINS = {"Key": 0.55, "Value": 1.0, "pred2": 0.4}


def published_entries() -> Iterator[Entry]:
    """The 558 names of the published file in its order, with their shapes."""
    for encoder in ("Encoder_M", "Encoder_Q"):
        yield from ((f"module.{encoder}.{name}", shape) for name, shape in _encoder(with_masks=encoder == "Encoder_M"))
    for head in ("KV_M_r4", "KV_Q_r4"):
        yield from _conv(f"module.{head}.Key", 128, 1024)
        yield from _conv(f"module.{head}.Value", 512, 1024)
    yield from _conv("module.Decoder.convFM", 256, 1024)
    yield from _res_block("module.Decoder.ResMM")
    for stage, channels in (("RF3", 512), ("RF2", 256)):
        yield from _conv(f"module.Decoder.{stage}.convFS", 256, channels)
        yield from _res_block(f"module.Decoder.{stage}.ResFS")
        yield from _res_block(f"module.Decoder.{stage}.ResMM")
    yield from _conv("module.Decoder.pred2", 2, 256)


def reference_state_dict(seed: int) -> dict[str, torch.Tensor]:
    """A random checkpoint; equal seeds give equal weights."""
    rng = np.random.default_rng(seed)
    return {name: torch.from_numpy(_draw(rng, name, shape)) for name, shape in published_entries()}


def _encoder(with_masks: bool) -> Iterator[Entry]:
    yield "mean", (1, 3, 1, 1)
    yield "std", (1, 3, 1, 1)
    if with_masks:
        yield "conv1_m.weight", (64, 1, 7, 7)
        yield "conv1_o.weight", (64, 1, 7, 7)
    yield "conv1.weight", (64, 3, 7, 7)
    yield from norm_entries("bn1", 64)
    for stage, blocks, width, channels_in, channels_out in STAGES:
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


def norm_entries(prefix: str, channels: int) -> Iterator[Entry]:
    """Entries of a batch norm."""
    for leaf in ("weight", "bias", "running_mean", "running_var"):
        yield f"{prefix}.{leaf}", (channels,)
    yield f"{prefix}.num_batches_tracked", ()


def _conv(prefix: str, channels_out: int, channels_in: int) -> Iterator[Entry]:
    yield f"{prefix}.weight", (channels_out, channels_in, 3, 3)
    yield f"{prefix}.bias", (channels_out,)


def _res_block(prefix: str) -> Iterator[Entry]:
    yield from _conv(f"{prefix}.conv1", 256, 256)
    yield from _conv(f"{prefix}.conv2", 256, 256)


def _draw(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    parent, leaf = name.split(".")[-2:]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "mean":
        value = np.array([0.485, 0.456, 0.406]).reshape(shape)
    elif leaf == "std":
        value = np.array([0.229, 0.224, 0.225]).reshape(shape)
    elif len(shape) == 4:
        value = rng.standard_normal(shape)
        if "Decoder" in name:  # filters of zero mean, so that no class wins everywhere
            value -= value.mean(axis=(1, 2, 3), keepdims=True)
        value *= GAINS.get(parent, 1.414) / np.sqrt(np.prod(shape[1:]))
    elif leaf == "running_var":
        value = rng.uniform(0.5, 1.5, shape)
    elif leaf == "running_mean":
        value = 0.1 * rng.standard_normal(shape)
    elif leaf == "weight":  # of a batch norm; small where a residual sum would grow
        value = (0.3 if parent == "bn3" else 1.0) * rng.uniform(0.8, 1.2, shape)
    else:
        value = 0.05 * rng.standard_normal(shape)
    return value.astype(np.float32)
