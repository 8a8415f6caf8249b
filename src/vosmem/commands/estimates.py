"""What `vosmem segment` will take, before any weights are loaded."""

from functools import cache
from typing import NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf

from vosmem.benchmark.machine import convolution_rate
from vosmem.checkpoints.bundled import default_weights
from vosmem.checkpoints.models import without_weights
from vosmem.checkpoints.weights_file import read_about
from vosmem.commands.common import compose, make, pick_device
from vosmem.inputs.doctor import VideoDiagnosis
from vosmem.inputs.estimate import memory_bytes, memory_frames
from vosmem.networks.cost import frame_cost
from vosmem.networks.network import MemoryNetwork

MODELS = ("stm_r18", "remn_r18")
# Frames took 1.1 to 1.3 times their work at the rate of a large convolution, and files come on top: see
# docs/explanation/performance.md.
BEYOND_FLOOR = 1.4


class Estimate(NamedTuple):
    """For one network at its default settings, full size and float32.

    Attributes:
        model: its name.
        memory_bytes: of keys and values at the end.
        seconds: in all.
    """

    model: str
    memory_bytes: int
    seconds: float


def estimates(video: VideoDiagnosis, interval: int = 5) -> list[Estimate]:
    """One for the network that comes with the package, or for each of those that users train where none comes.

    Args:
        video: what was found of the video; it has frames and objects.
        interval: every how many frames one is kept.
    """
    default = default_weights()
    names = MODELS if default is None else (default[0],)
    return [_estimate(video, name, interval) for name in names]


def _estimate(video: VideoDiagnosis, name: str, interval: int) -> Estimate:
    config = _model(name)
    num_objects, (width, height) = len(video.given_at), video.size
    needed = memory_bytes(
        video.size,
        video.num_frames,
        num_objects,
        interval,
        key_channels=config.key_channels,
        value_channels=config.value_channels,
        shared_keys=config._target_.endswith("REMN"),
    )
    midway = max(1, memory_frames(video.num_frames, interval) // 2)
    work = frame_cost(_network(name), height, width, num_objects, midway).total
    return Estimate(name, needed, BEYOND_FLOOR * video.num_frames * work / _rate())


def _model(name: str) -> DictConfig:
    default = default_weights()
    if default is not None and name == default[0]:
        return OmegaConf.create(dict(read_about(default[1]).model))
    config: DictConfig = compose("train", f"model={name}").model
    return config


@cache
def _network(name: str) -> MemoryNetwork:
    network: MemoryNetwork = make(OmegaConf.create(without_weights(_model(name))))
    return network.eval()


@cache
def _rate() -> float:
    return convolution_rate(pick_device("auto"), torch.float32)
