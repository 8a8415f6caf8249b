"""A plain STCN with the structure of the published code, which the engine is measured against.

It loads the published layout under its own names, concatenates its memory again for every frame, decodes each object
separately, selects the most similar cells by a scatter into the whole affinity, and does not fold batch norms. The
tests compare it with a golden run of the published network.
"""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet18, resnet50

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TOP_K = 20


class KeyEncoder(nn.Module):
    """ResNet-50 up to stride 16, its parts under the published names."""

    def __init__(self) -> None:
        super().__init__()
        body = resnet50(weights=None)
        self.conv1, self.bn1, self.relu, self.maxpool = body.conv1, body.bn1, body.relu, body.maxpool
        self.res2, self.layer2, self.layer3 = body.layer1, body.layer2, body.layer3

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features at strides 16, 8 and 4."""
        f4 = self.res2(self.maxpool(self.relu(self.bn1(self.conv1(frame)))))
        f8 = self.layer2(f4)
        return self.layer3(f8), f8, f4


class Block(nn.Module):
    """A residual block without norms."""

    def __init__(self, channels_in: int, channels: int):
        super().__init__()
        self.downsample = None if channels_in == channels else nn.Conv2d(channels_in, channels, 3, 1, 1)
        self.conv1, self.conv2 = nn.Conv2d(channels_in, channels, 3, 1, 1), nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Same size."""
        residual = self.conv2(F.relu(self.conv1(F.relu(x))))
        return residual + (x if self.downsample is None else self.downsample(x))


class ChannelGate(nn.Module):
    """Channel attention."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Flatten(), nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 512))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        found = self.mlp(F.adaptive_avg_pool2d(x, 1)) + self.mlp(F.adaptive_max_pool2d(x, 1))
        return x * torch.sigmoid(found)[:, :, None, None]


class SpatialGate(nn.Module):
    """Spatial attention."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.Sequential()
        self.spatial.add_module("conv", nn.Conv2d(2, 1, 7, 1, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        pooled = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.spatial(pooled))


class Attention(nn.Module):
    """Channels, then cells."""

    def __init__(self) -> None:
        super().__init__()
        self.ChannelGate, self.SpatialGate = ChannelGate(), SpatialGate()

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return self.SpatialGate(self.ChannelGate(x))


class Fuser(nn.Module):
    """An object's features and the frame's."""

    def __init__(self) -> None:
        super().__init__()
        self.block1, self.attention, self.block2 = Block(1280, 512), Attention(), Block(512, 512)

    def forward(self, objects: Tensor, frames: Tensor) -> Tensor:
        """The value."""
        x = self.block1(torch.cat([objects, frames], dim=1))
        return self.block2(x + self.attention(x))


class ValueEncoder(nn.Module):
    """ResNet-18 on image and masks, whose convolutions have biases."""

    def __init__(self) -> None:
        super().__init__()
        body = resnet18(weights=None)
        self.conv1 = nn.Conv2d(5, 64, 7, 2, 3)
        self.bn1, self.relu, self.maxpool = body.bn1, body.relu, body.maxpool
        self.layer1, self.layer2, self.layer3 = body.layer1, body.layer2, body.layer3
        for layer in (self.layer1, self.layer2, self.layer3):
            for conv in layer.modules():
                if isinstance(conv, nn.Conv2d):
                    conv.bias = nn.Parameter(torch.zeros(conv.out_channels))
        self.fuser = Fuser()

    def forward(self, frame: Tensor, f16: Tensor, masks: Tensor, others: Tensor) -> Tensor:
        """The value of each object."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(torch.cat([frame, masks, others], dim=1)))))
        return self.fuser(self.layer3(self.layer2(self.layer1(x))), f16)


class Upsample(nn.Module):
    """One step up of the decoder."""

    def __init__(self, skip: int, channels_in: int, channels: int):
        super().__init__()
        self.skip_conv, self.out_conv = nn.Conv2d(skip, channels_in, 3, 1, 1), Block(channels_in, channels)

    def forward(self, features: Tensor, below: Tensor) -> Tensor:
        """Features at twice the resolution."""
        larger = F.interpolate(below, scale_factor=2, mode="bilinear", align_corners=False)
        return self.out_conv(self.skip_conv(features) + larger)


class PlainDecoder(nn.Module):
    """From the readout to the logit of each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.compress = Block(1024, 512)
        self.up_16_8, self.up_8_4 = Upsample(512, 512, 256), Upsample(256, 256, 256)
        self.pred = nn.Conv2d(256, 1, 3, 1, 1)

    def forward(self, read: Tensor, f8: Tensor, f4: Tensor) -> Tensor:
        """Logits at the frame's size."""
        x = self.up_8_4(f4, self.up_16_8(f8, self.compress(read)))
        return F.interpolate(self.pred(F.relu(x)), scale_factor=4, mode="bilinear", align_corners=False)


class KeyProjection(nn.Module):
    """The key."""

    def __init__(self) -> None:
        super().__init__()
        self.key_proj = nn.Conv2d(1024, 64, 3, 1, 1)


class PlainSTCN(nn.Module):
    """The network, on frames whose sides are multiples of 16 after its own padding.

    Args:
        state: weights in the published layout.
    """

    def __init__(self, state: Mapping[str, Tensor]):
        super().__init__()
        self.key_encoder, self.value_encoder = KeyEncoder(), ValueEncoder()
        self.key_proj, self.key_comp = KeyProjection(), nn.Conv2d(1024, 512, 3, 1, 1)
        self.decoder = PlainDecoder()
        self.load_state_dict(dict(state))
        self.eval()

    @torch.no_grad()
    def encode(self, frame: Tensor) -> tuple[Tensor, ...]:
        """The padded frame (1, 3, H, W), its key, its value and its features; frames are RGB in [0, 1]."""
        mean, std = (frame.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        padded = F.pad((frame - mean) / std, border(*frame.shape[-2:]))
        f16, f8, f4 = self.key_encoder(padded)
        return padded, self.key_proj.key_proj(f16), self.key_comp(f16), f16, f8, f4

    @torch.no_grad()
    def memorize(self, encoded: tuple[Tensor, ...], masks: Tensor) -> tuple[Tensor, Tensor]:
        """Key (1, 64, 1, h, w) and values (K, 512, 1, h, w) of a frame with its padded masks (K, 1, H, W)."""
        padded, key, _, f16, _, _ = encoded
        count = len(masks)
        rest = [masks[[j for j in range(count) if j != i]].sum(dim=0) for i in range(count)]
        repeated = padded.repeat(count, 1, 1, 1), f16.repeat(count, 1, 1, 1)
        return key[:, :, None], self.value_encoder(*repeated, masks, torch.stack(rest))[:, :, None]

    @torch.no_grad()
    def segment(self, encoded: tuple[Tensor, ...], keys: Tensor, values: Tensor) -> Tensor:
        """Probabilities (K + 1, 1, H, W) of background and objects, padding included."""
        _, key, value, _, f8, f4 = encoded
        weights = top_softmax(distance(keys.flatten(2), key.flatten(2)))
        read = torch.bmm(values.flatten(2), weights.expand(len(values), -1, -1)).view(len(values), 512, *key.shape[-2:])
        logits = [self.decoder(torch.cat([own[None], value], dim=1), f8, f4) for own in read]
        return aggregate(torch.cat(logits).sigmoid())


def distance(keys: Tensor, query: Tensor) -> Tensor:
    """The negative squared distance without the query's own square, over the memory axis first."""
    own = keys.pow(2).sum(dim=1)[:, :, None]
    return (2 * keys.transpose(1, 2) @ query - own) / math.sqrt(keys.shape[1])


def top_softmax(affinity: Tensor) -> Tensor:
    """Softmax over the largest entries of the memory axis, scattered back to its whole width."""
    values, indices = affinity.topk(min(TOP_K, affinity.shape[1]), dim=1)
    shares = (values - values[:, :1]).exp()
    shares = shares / shares.sum(dim=1, keepdim=True)
    return affinity.zero_().scatter_(1, indices, shares)


def aggregate(probs: Tensor) -> Tensor:
    """Soft aggregation of (K, 1, H, W)."""
    every = torch.cat([torch.prod(1 - probs, dim=0, keepdim=True), probs]).clamp(1e-7, 1 - 1e-7)
    return torch.log(every / (1 - every)).softmax(dim=0)


def border(height: int, width: int) -> tuple[int, int, int, int]:
    """Left, right, top and bottom pixels up to multiples of 16."""
    rows, columns = -height % 16, -width % 16
    return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2
