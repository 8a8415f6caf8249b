"""This package as an implementation that takes turns."""

import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from vosmem.benchmark.machine import convolution_rate, synchronize
from vosmem.benchmark.scene import made_frame
from vosmem.benchmark.turns import Case
from vosmem.inference.engine.engine import Engine
from vosmem.memory.bank import MemoryBank
from vosmem.networks.network import MemoryNetwork
from vosmem.ops.masks import one_hot
from vosmem.ops.padding import pad, pad_with_colour, padding_to_stride, unpad
from vosmem.shapes import Query

Made = TypeVar("Made")


class _Frame(NamedTuple):
    """A frame as the network takes it."""

    t: int
    image: Float[Tensor, "1 3 H W"]
    masks: Float[Tensor, "1 K H W"]
    query: Query | None


class EngineFrame:
    """Memorises and segments as `Propagator` does, one part after the other, so that they can be timed.

    Args:
        network: the network.
        engine: how it runs.
    """

    def __init__(self, network: MemoryNetwork, engine: Engine):
        self.network, self.engine = engine.ready(network), engine
        self._bank = MemoryBank()
        self._case = Case(1, 1, 16, 16)
        self._seconds: dict[str, float] | None = None
        if engine.device.type == "cuda":
            synchronize(engine.device)
            torch.cuda.reset_peak_memory_stats(engine.device)
            self._loaded = torch.cuda.memory_allocated(engine.device)

    @torch.inference_mode()
    def prepare(self, case: Case) -> None:
        """As `Implementation.prepare`."""
        self._case, self._bank = case, MemoryBank()
        with self.engine.context():
            for t in range(case.num_frames - 1):
                self._memorize(self._seen(t), keep=True)
            self._last = self._seen(case.num_frames - 1)
        self._image = self._seen(case.num_frames, encode=False).image

    @torch.inference_mode()
    def frame(self) -> None:
        """As `Implementation.frame`."""
        with self.engine.context():
            self._timed("memorize", lambda: self._memorize(self._last, keep=False))
            self._segment()
        synchronize(self.engine.device)

    def parts(self) -> dict[str, float]:
        """As `Implementation.parts`: encode, read, decode, memorize."""
        self._seconds = {}
        self.frame()
        seconds, self._seconds = self._seconds, None
        return seconds

    @torch.inference_mode()
    def step(self, case: Case) -> Float[np.ndarray, "K1 H W"]:
        """As `Implementation.step`."""
        self.prepare(case._replace(num_frames=1))
        with self.engine.context():
            self._memorize(self._last, keep=True)
            self._image = self._seen(1, encode=False).image
            return self._segment().float().cpu().numpy()

    def rate(self) -> float:
        """As `Implementation.rate`."""
        return convolution_rate(self.engine.device, self.engine.dtype)

    def peak_mb(self) -> float | None:
        """As `Implementation.peak_mb`."""
        if self.engine.device.type != "cuda":
            return None
        return (torch.cuda.max_memory_allocated(self.engine.device) - self._loaded) / 2**20

    def _seen(self, t: int, encode: bool = True) -> _Frame:
        """A frame, with the query that is there already when it is memorised."""
        case = self._case
        image, labels = made_frame(t, case.num_objects, case.height, case.width)
        padding = padding_to_stride(case.height, case.width)
        image = pad_with_colour(image.to(self.engine.device), padding, self.network.border)
        masks = pad(one_hot(labels[None], case.num_objects), padding).to(self.engine.device)
        return _Frame(t, image, masks, self.network.encode_query(image) if encode else None)

    def _memorize(self, frame: _Frame, keep: bool) -> None:
        self._bank.add(frame.t, self.network.encode_memory(frame.image, frame.masks, query=frame.query), keep=keep)

    def _segment(self) -> Float[Tensor, "K1 H W"]:
        query = self._timed("encode", lambda: self.network.encode_query(self._image))
        readout = self._timed(
            "read", lambda: torch.cat([self.network.read(query, memory) for memory in self._bank.groups()])
        )
        padding = padding_to_stride(self._case.height, self._case.width)
        return self._timed("decode", lambda: unpad(self.network.decode(query, readout), padding).softmax(dim=1)[0])

    def _timed(self, part: str, run: Callable[[], Made]) -> Made:
        if self._seconds is None:
            return run()
        synchronize(self.engine.device)
        start = time.perf_counter()
        result = run()
        synchronize(self.engine.device)
        self._seconds[part] = time.perf_counter() - start
        return result
