"""Small user videos, and a method that repeats the last mask of each object."""

import re
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from tests.golden_video import video
from vosmem.inputs.open import open_videos
from vosmem.networks import STM

SIZE = (33, 47)


def repeatable(path: Path) -> bytes:
    """What two equal runs write into a file: its bytes, but of an H.264 video the number of frames.

    libx264 does not always give the same bytes for the same frames. The report holds the video, and times.
    """
    if path.suffix == ".mp4":
        with av.open(str(path)) as container:
            return bytes([sum(1 for _ in container.decode(video=0))])
    content = path.read_bytes()
    if path.name == "report.html":
        content = re.sub(rb"data:video/mp4;base64,[^\"]*", b"", re.sub(rb"<tr><th>timings.*", b"", content))
    return content


class RepeatMethod:
    """A resumable method that repeats the last mask of each object, with probability 0.9."""

    memory_bytes = 2**20

    def __init__(self):
        self.labels, self.memory_frames, self.known = None, [], 0

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)

    def step(self, frame, mask=None, *, absent=()):
        if mask is not None:
            old = torch.zeros_like(mask) if self.labels is None else self.labels
            self.labels = torch.where(mask > 0, mask, old)
        self.known = max(self.known, int(self.labels.max()))
        self.labels = torch.where(torch.isin(self.labels, torch.tensor(absent)), 0, self.labels)
        self.memory_frames.append(len(self.memory_frames))
        one_hot = torch.nn.functional.one_hot(self.labels.long(), self.known + 1).permute(2, 0, 1).float()
        return 0.9 * one_hot + 0.1 / len(one_hot)


def write_user_video(root: Path, ids=(3, 200), num_frames=5, size=SIZE, given=(0,), palette=None, name="fish") -> Path:
    """Write a folder of frames and one of masks for the frames in `given`; returns the folder of both."""
    frames, labels = video(num_frames, *size, len(ids))
    for kind in ("frames", "masks"):
        (root / kind / name).mkdir(parents=True)
    table = np.array([0, *ids], np.uint16 if max(ids) > 255 else np.uint8)
    for t in range(num_frames):
        Image.fromarray(frames[t]).save(root / "frames" / name / f"{t:03d}.png")
        if t in given:
            mask = Image.fromarray(table[labels[t]])
            if palette is not None:
                mask.putpalette(palette)
            mask.save(root / "masks" / name / f"{t:03d}.png")
    return root


def opened(root: Path, name="fish"):
    """The video of such a folder."""
    return open_videos(root / "frames" / name, root / "masks" / name)[0].open()


WIDTHS = {"backbone": "resnet10", "key_channels": 8, "value_channels": 8, "decoder_channels": 8, "weights": "none"}


def write_checkpoint(path: Path) -> Path:
    """A checkpoint of a tiny network with random weights."""
    torch.manual_seed(0)
    state = {f"network.{name}": value for name, value in STM(**WIDTHS).state_dict().items()}
    torch.save({"config": {"model": {"_target_": "vosmem.networks.STM", **WIDTHS}}, "state_dict": state}, path)
    return path


def write_frames(frames: Path, mask: Path, count: int, size=(48, 80), num_objects=2) -> None:
    pictures, labels = video(count, *size, num_objects)
    for parent in (frames, mask.parent):
        parent.mkdir(parents=True, exist_ok=True)
    for t in range(count):
        Image.fromarray(pictures[t]).save(frames / f"{t:05d}.png")
    Image.fromarray(labels[0]).save(mask)
