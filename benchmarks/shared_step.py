"""One process of a training step that several share by gloo, also on one GPU; a worker of `benchmarks.gpu_parts`.

python -m benchmarks.shared_step FOLDER DEVICE PROCESSES SIZE RANK
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import get_total_norm

from vosmem.networks import STM
from vosmem.shapes import Clip
from vosmem.training.losses import ClipCrossEntropy
from vosmem.training.unroll import unroll

NUM_CLIPS, NUM_STEPS = 4, 2  # gradients of two batches are accumulated in each process


class _Loss(nn.Module):
    def __init__(self, network: STM):
        super().__init__()
        self.network, self.loss = network, ClipCrossEntropy()

    def forward(self, clip: Clip) -> Tensor:
        loss: Tensor = self.loss(unroll(self.network, clip).logits, clip.labels[:, 1:], 0)
        return loss


def main(folder: str, device: str, processes: str, size: str, rank: str) -> None:
    """Train two steps of four clips, shared by the processes, and write the last loss and gradient norm."""
    torch.manual_seed(0)
    index, count, side = int(rank), int(processes), int(size)
    torch.distributed.init_process_group("gloo", f"file://{folder}/store", rank=index, world_size=count)
    widths = {"key_channels": 16, "value_channels": 32, "decoder_channels": 16}
    network = _Loss(STM(backbone="resnet10", **widths, weights="none").to(device).train())
    shared = DistributedDataParallel(network)
    optimizer = torch.optim.SGD(shared.parameters(), lr=1e-3)
    frames = torch.randint(0, 256, (NUM_CLIPS, 3, 3, side, side), dtype=torch.uint8)
    labels = torch.randint(0, 3, (NUM_CLIPS, 3, side, side), dtype=torch.uint8)
    own = list(range(index, NUM_CLIPS, count))
    for _ in range(NUM_STEPS):
        total = torch.zeros(())
        for number, at in enumerate(own):
            clip = Clip(frames[at : at + 1].to(device), labels[at : at + 1].to(device), torch.tensor([2]))
            shared.require_backward_grad_sync = number == len(own) - 1
            loss = shared(clip) / len(own)
            loss.backward()
            total += loss.detach().cpu()
        torch.distributed.all_reduce(total)
        norm = get_total_norm([p.grad for p in network.parameters() if p.grad is not None]).cpu()
        optimizer.step()
        optimizer.zero_grad()
    if index == 0:
        torch.save({"loss": total / count, "norm": norm}, Path(folder) / "result.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
