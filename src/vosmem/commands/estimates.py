"""Time and memory that `vosmem segment` will need, by formulas and without a network."""

from functools import cache
from math import ceil
from typing import NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf

from vosmem.benchmark.machine import convolution_rate
from vosmem.checkpoints.bundled import default_weights
from vosmem.checkpoints.weights_file import read_about
from vosmem.commands.common import compose, pick_device
from vosmem.inference.propagation.view_selector import size_factor
from vosmem.inputs.doctor import VideoDiagnosis
from vosmem.ops.padding import STRIDE

# GFLOP of convolutions per cell of 16x16 pixels: of a frame, and of each of its objects (`networks.cost.frame_cost`).
CONVOLUTIONS = {"remn_small": (0.02154, 0.01991), "stm_r18": (0.07509, 0.06891), "remn_r18": (0.07479, 0.08484)}
MODELS = ("stm_r18", "remn_r18")
FLOAT_BYTES = 4
# Frames took 1.1 to 1.3 times their work at the rate of a large convolution, without file access: see
# docs/explanation/performance.md.
OVERHEAD = 1.4


class Estimate(NamedTuple):
    """Needs of a model at its default settings, at the size that its conventions choose, in float32."""

    model: str
    memory_bytes: int  # of keys and values at the end of the video
    seconds: float  # in all


def estimates(video: VideoDiagnosis, interval: int = 5) -> list[Estimate]:
    """Estimate for the bundled default network or, if there is none, for each of `MODELS`; the video has objects."""
    default = default_weights()
    if default is None:
        models = {name: compose("train", f"model={name}").model for name in MODELS}
    else:
        models = {default[0]: OmegaConf.create(dict(read_about(default[1]).model))}
    return [_estimate(video, name, model, interval) for name, model in models.items()]


def _estimate(video: VideoDiagnosis, name: str, model: DictConfig, interval: int) -> Estimate:
    num_objects, num_frames = len(video.given_at), memory_frames(video.num_frames, interval)
    conventions = model.get("conventions") or {}
    factor = size_factor(min(video.size), conventions.get("short_side") or 0, conventions.get("enlarge_to") or 0)
    cells = ceil(factor * video.size[0] / STRIDE) * ceil(factor * video.size[1] / STRIDE)
    channels = memory_channels(model, num_objects)
    per_frame, per_object = CONVOLUTIONS[name]
    convolutions = cells * (per_frame + num_objects * per_object)
    read = 2e-9 * cells**2 * max(1, num_frames // 2) * channels  # of the frames in memory midway
    seconds = OVERHEAD * video.num_frames * (convolutions + read) / _rate()
    return Estimate(name, FLOAT_BYTES * buffer_frames(num_frames) * cells * channels, seconds)


def memory_frames(num_frames: int, interval: int) -> int:
    """Most frames in memory at a time: the first, every `interval`-th, and the one before the current.

    Example:
        >>> memory_frames(70, 5), memory_frames(2, 5), memory_frames(1, 5)
        (15, 1, 0)
    """
    last = num_frames - 2  # the last frame is read, not memorised
    return 0 if last < 0 else last // interval + 1 + (last % interval > 0)


def buffer_frames(num_frames: int) -> int:
    """Frames for which the bank has allocated memory: it doubles its buffers when they are full."""
    return 1 << (num_frames - 1).bit_length() if num_frames else 0


def memory_channels(model: DictConfig, num_objects: int) -> int:
    """Channels of the keys and values of all objects: REMN shares one key, STM has one per object."""
    num_keys = 1 if model._target_.endswith("REMN") else num_objects
    return int(num_keys * model.key_channels + num_objects * model.value_channels)


@cache
def _rate() -> float:
    """GFLOP per second of this machine."""
    return convolution_rate(pick_device("auto"), torch.float32)
