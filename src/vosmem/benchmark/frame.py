"""One frame of the engine, part by part, so that each part can be timed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vosmem.benchmark.cases import Case
from vosmem.inference.engine.engine import Engine
from vosmem.memory.bank import MemoryBank
from vosmem.networks.network import MemoryNetwork
from vosmem.ops.masks import one_hot
from vosmem.ops.padding import pad, pad_with_colour, padding_to_stride, unpad

TEXTURE_CELL = 24  # pixels between the random colours of a synthetic frame
SEED = 5  # of the colours


class EngineFrame:
    """Memorises frame T and segments frame T + 1 as `Propagator` does; the memory then is as before.

    The network is one that `Engine.ready` returned. The constructor fills the memory with the T - 1 frames before.
    """

    def __init__(self, network: MemoryNetwork, engine: Engine, case: Case):
        self.network, self.engine, self.case = network, engine, case
        self.parts: dict[str, Callable[[], None]] = {
            "memorize": self._memorize,
            "encode": self._encode,
            "read": self._read,
            "decode": self._decode,
        }
        self.bank = MemoryBank()
        self._padding = padding_to_stride(case.height, case.width)
        with self._running():
            for t in range(case.num_frames):
                image, self._masks = self._inputs(t)
                self._last = t, image, network.encode_query(image)
                if t < case.num_frames - 1:
                    self._memorize(keep=True)
            self._image, _ = self._inputs(case.num_frames)

    def frame(self) -> Float[Tensor, "K1 H W"]:
        """Run all parts; return the probabilities of background and objects."""
        for part in self.parts.values():
            part()
        return self._probs

    @contextmanager
    def _running(self) -> Iterator[None]:
        with torch.inference_mode(), self.engine.context():
            yield

    def _inputs(self, t: int) -> tuple[Float[Tensor, "1 3 H W"], Float[Tensor, "1 K H W"]]:
        image, labels = synthetic_frame(t, self.case.num_objects, self.case.height, self.case.width)
        masks = pad(one_hot(labels[None], self.case.num_objects), self._padding).to(self.engine.device)
        return pad_with_colour(image.to(self.engine.device), self._padding, self.network.border), masks

    def _memorize(self, keep: bool = False) -> None:
        t, image, query = self._last
        with self._running():
            self.bank.add(t, self.network.encode_memory(image, self._masks, query=query), keep=keep)

    def _encode(self) -> None:
        with self._running():
            self._query = self.network.encode_query(self._image)

    def _read(self) -> None:
        with self._running():
            self._readout = torch.cat([self.network.read(self._query, memory) for memory in self.bank.groups()])

    def _decode(self) -> None:
        with self._running():
            logits = self.network.decode(self._query, self._readout)
            self._probs = unpad(logits, self._padding).softmax(dim=1)[0]


def synthetic_frame(
    t: int, num_objects: int, height: int, width: int
) -> tuple[Float[Tensor, "1 3 H W"], UInt8[Tensor, "H W"]]:
    """Draw a soft texture and a row of square objects, displaced by 3 pixels a frame: RGB in [0, 1], and labels 0..K.

    The content of a frame does not change the amount of work.
    """
    rng = np.random.default_rng(SEED)
    coarse = rng.random((height // TEXTURE_CELL + 2, 2 * (width // TEXTURE_CELL) + 2, 3), np.float32)
    texture = cv2.resize(coarse, (2 * width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    image = np.roll(texture, -3 * t, axis=1)[:, :width]
    labels = np.zeros((height, width), np.uint8)
    side = max(8, min(height // 3, width // (num_objects + 1)))
    for k in range(num_objects):
        left = (k * width // num_objects + 3 * t) % max(1, width - side)
        labels[height // 3 : height // 3 + side, left : left + side - 4] = k + 1
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float(), torch.from_numpy(labels)
