"""What the engine benchmark runs: the same frames and weights through the plain STM and through this package."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.plain_stm import NUM_SLOTS, PlainSTM
from torch import Tensor

from tests.golden_video import video
from tests.reference_checkpoint import reference_state_dict
from vosmem.checkpoints import load_reference_stm
from vosmem.memory.bank import MemoryBank
from vosmem.networks.folding import fold_batch_norms
from vosmem.ops.masks import one_hot
from vosmem.ops.padding import pad, padding_to_stride, unpad

HEIGHT, WIDTH, SEED = 480, 854, 5
OneStep = Callable[[int], Tensor]  # objects: probabilities (K+1, H, W) of frame 1 by frame 0 with its given masks
MakeFrame = Callable[[int, int], Callable[[], Tensor]]  # objects, memory frames: memorises a frame, segments the next


def of_plain(dtype: torch.dtype = torch.float32) -> tuple[OneStep, MakeFrame]:
    """The plain network, whose memory is concatenated anew for every frame."""
    network = PlainSTM(reference_state_dict(SEED)).to(dtype)

    def entry(t: int, num_objects: int) -> tuple[Tensor, Tensor]:
        image, labels = _frame(t, num_objects)
        wide = F.one_hot(labels.long(), NUM_SLOTS).permute(2, 0, 1)[None]
        return network.memorize(image.to(dtype), wide.to(dtype), num_objects)

    def one_step(num_objects: int) -> Tensor:
        logits = network.segment(_frame(1, num_objects)[0].to(dtype), *entry(0, num_objects), num_objects)
        return logits[0, : num_objects + 1].softmax(dim=0)

    def make_frame(num_objects: int, num_frames: int) -> Callable[[], Tensor]:
        entries = [entry(t, num_objects) for t in range(num_frames - 1)]
        kept = [torch.cat(parts, dim=3) for parts in zip(*entries, strict=True)] if entries else None
        image = _frame(num_frames, num_objects)[0]

        def frame() -> Tensor:
            new = entry(num_frames - 1, num_objects)
            memory = new if kept is None else [torch.cat(pair, dim=3) for pair in zip(kept, new, strict=True)]
            return network.segment(image, *memory, num_objects).softmax(dim=1)

        return frame

    return one_step, make_frame


def of_engine(precision: str) -> tuple[OneStep, MakeFrame]:
    """This package, as `Propagator` runs it."""
    network = fold_batch_norms(load_reference_stm(reference_state_dict(SEED)))
    padding = padding_to_stride(HEIGHT, WIDTH)

    def remember(bank: MemoryBank, t: int, num_objects: int, keep: bool) -> None:
        image, labels = _frame(t, num_objects)
        bank.add(
            t, network.encode_memory(pad(image, padding), pad(one_hot(labels[None], num_objects), padding)), keep=keep
        )

    def segment(bank: MemoryBank, image: Tensor) -> Tensor:
        query = network.encode_query(pad(image, padding))
        readouts = [network.read(query, memory) for memory in bank.groups()]
        return unpad(network.decode(query, torch.cat(readouts)), padding).softmax(dim=1)[0]

    def in_precision(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        @torch.inference_mode()
        def frame() -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                return run()

        return frame

    def one_step(num_objects: int) -> Tensor:
        def run() -> Tensor:
            bank = MemoryBank()
            remember(bank, 0, num_objects, keep=True)
            return segment(bank, _frame(1, num_objects)[0])

        return in_precision(run)()

    def make_frame(num_objects: int, num_frames: int) -> Callable[[], Tensor]:
        bank = MemoryBank()
        image = _frame(num_frames, num_objects)[0]

        def run() -> Tensor:
            for t in range(len(bank.frames), num_frames - 1):  # the first time alone
                remember(bank, t, num_objects, keep=True)
            remember(bank, num_frames - 1, num_objects, keep=False)
            return segment(bank, image)

        return in_precision(run)

    return one_step, make_frame


def distance(probs: Tensor, num_objects: int) -> tuple[float, float]:
    """Largest difference from float64, and the share of pixels with another label."""
    cached = Path(tempfile.gettempdir()) / f"vosmem_benchmark_float64_{num_objects}.npy"
    if not cached.is_file():
        np.save(cached, of_plain(torch.float64)[0](num_objects).numpy())
    exact = torch.from_numpy(np.load(cached))
    flips = (probs.argmax(dim=0) != exact.argmax(dim=0)).double().mean()
    return float((probs.double() - exact).abs().max()), float(flips)


def _frame(t: int, num_objects: int) -> tuple[Tensor, Tensor]:
    """Image (1, 3, H, W) and labels (H, W) of a frame."""
    key = (t, num_objects)
    if key not in _frames:
        images, labels = video(t + 1, HEIGHT, WIDTH, num_objects, SEED)
        for at in range(t + 1):
            image = torch.from_numpy(images[at]).permute(2, 0, 1)[None].float() / 255
            _frames[at, num_objects] = image, torch.from_numpy(labels[at])
    return _frames[key]


_frames: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
