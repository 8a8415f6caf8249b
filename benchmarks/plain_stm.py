"""A plain STM with the structure of the published code, which the engine is measured against.

It loads the published layout under its own names, has a memory eleven objects wide that is concatenated again for every
frame, repeats the query's features for each object before the decoder, and keeps batch norms, the second output channel
and the whole affinity. The tests compare it with golden runs of the published network.
"""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet50

NUM_SLOTS = 11  # background and ten objects


class Encoder(nn.Module):
    """ResNet-50 up to stride 16, its parts under the published names."""

    def __init__(self, sees_masks: bool):
        super().__init__()
        body = resnet50(weights=None)
        if sees_masks:
            self.conv1_m, self.conv1_o = (nn.Conv2d(1, 64, 7, 2, 3, bias=False) for _ in range(2))
        self.conv1, self.bn1, self.relu, self.maxpool = body.conv1, body.bn1, body.relu, body.maxpool
        self.res2, self.res3, self.res4 = body.layer1, body.layer2, body.layer3
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1))
        self.register_buffer("std", torch.ones(1, 3, 1, 1))

    def forward(self, frame: Tensor, *masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at strides 16, 8 and 4."""
        x = self.conv1((frame - self.mean) / self.std)
        if masks:
            x = x + self.conv1_m(masks[0]) + self.conv1_o(masks[1])
        r2 = self.res2(self.maxpool(self.relu(self.bn1(x))))
        r3 = self.res3(r2)
        return self.res4(r3), r3, r2


class KeyValue(nn.Module):
    """The heads of key and value."""

    def __init__(self) -> None:
        super().__init__()
        self.Key, self.Value = nn.Conv2d(1024, 128, 3, 1, 1), nn.Conv2d(1024, 512, 3, 1, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Key and value."""
        return self.Key(features), self.Value(features)


class Block(nn.Module):
    """A residual block without norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(256, 256, 3, 1, 1), nn.Conv2d(256, 256, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class Stage(nn.Module):
    """One step up of the decoder."""

    def __init__(self, channels: int):
        super().__init__()
        self.convFS = nn.Conv2d(channels, 256, 3, 1, 1)
        self.ResFS, self.ResMM = Block(), Block()

    def forward(self, features: Tensor, below: Tensor) -> Tensor:
        """Features at twice the resolution."""
        larger = F.interpolate(below, scale_factor=2, mode="bilinear", align_corners=False)
        return self.ResMM(self.ResFS(self.convFS(features)) + larger)


class PlainDecoder(nn.Module):
    """From the readout to two logits for each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.convFM, self.ResMM = nn.Conv2d(1024, 256, 3, 1, 1), Block()
        self.RF3, self.RF2 = Stage(512), Stage(256)
        self.pred2 = nn.Conv2d(256, 2, 3, 1, 1)

    def forward(self, read: Tensor, r3: Tensor, r2: Tensor) -> Tensor:
        """Logits of background and object."""
        x = self.RF2(r2, self.RF3(r3, self.ResMM(self.convFM(read))))
        return F.interpolate(self.pred2(F.relu(x)), scale_factor=4, mode="bilinear", align_corners=False)


class PlainSTM(nn.Module):
    """The network. Masks and memory are `NUM_SLOTS` wide; slot 0 is the background, whose memory stays zero.

    Args:
        state: weights in the published layout, names with or without `module.`.
    """

    def __init__(self, state: Mapping[str, Tensor]):
        super().__init__()
        self.Encoder_M, self.Encoder_Q = Encoder(sees_masks=True), Encoder(sees_masks=False)
        self.KV_M_r4, self.KV_Q_r4, self.Decoder = KeyValue(), KeyValue(), PlainDecoder()
        self.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
        self.eval()

    @torch.no_grad()
    def memorize(self, frame: Tensor, masks: Tensor, num_objects: int) -> tuple[Tensor, Tensor]:
        """Keys (1, 11, 128, 1, h, w) and values of a frame (1, 3, H, W) with its masks (1, 11, H, W)."""
        sides = _border(*frame.shape[-2:])
        frame, masks = F.pad(frame, sides), F.pad(masks, sides)
        own = masks[0, 1 : num_objects + 1]
        rest = torch.stack([(own.sum(0) - one).clamp(0, 1) for one in own])
        features, _, _ = self.Encoder_M(frame.expand(num_objects, -1, -1, -1), own[:, None], rest[:, None])
        wide = []
        for part in self.KV_M_r4(features):
            slots = part.new_zeros(1, NUM_SLOTS, part.shape[1], 1, *part.shape[-2:])
            slots[0, 1 : num_objects + 1, :, 0] = part
            wide.append(slots)
        return wide[0], wide[1]

    @torch.no_grad()
    def segment(self, frame: Tensor, keys: Tensor, values: Tensor, num_objects: int) -> Tensor:
        """Logits (1, 11, H, W) of a frame, by memories (1, 11, C, T, h, w)."""
        sides = _border(*frame.shape[-2:])
        features, r3, r2 = self.Encoder_Q(F.pad(frame, sides))
        key, value = (part.expand(num_objects, -1, -1, -1) for part in self.KV_Q_r4(features))
        k, v = keys[0, 1 : num_objects + 1].flatten(2), values[0, 1 : num_objects + 1].flatten(2)
        affinity = torch.bmm(k.transpose(1, 2), key.flatten(2)) / math.sqrt(k.shape[1])
        read = torch.bmm(v, F.softmax(affinity, dim=1)).view_as(value)
        both = torch.cat([read, value], dim=1)
        logits = self.Decoder(both, *(part.expand(num_objects, -1, -1, -1) for part in (r3, r2)))
        probs = F.softmax(logits, dim=1)[:, 1]
        every = probs.new_zeros(1, NUM_SLOTS, *probs.shape[-2:])
        every[0, 0], every[0, 1 : num_objects + 1] = torch.prod(1 - probs, dim=0), probs
        every = every.clamp(1e-7, 1 - 1e-7)
        left, right, top, bottom = sides
        height, width = every.shape[-2:]
        return torch.log(every / (1 - every))[..., top : height - bottom, left : width - right]


def _border(height: int, width: int) -> tuple[int, int, int, int]:
    extra = (-height % 16, -width % 16)
    return extra[1] // 2, extra[1] - extra[1] // 2, extra[0] // 2, extra[0] - extra[0] // 2
