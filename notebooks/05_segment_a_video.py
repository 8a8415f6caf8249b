# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How do I segment my own video?
#
# Set a video, a mask of its first frame, and a checkpoint. Without them the notebook renders a small video and uses an
# untrained network, so the masks show the steps and not the quality.

# %%
from pathlib import Path

import numpy as np
import torch

from vosmem.commands import compose, load_network, make
from vosmem.commands.training import calibrated_network
from vosmem.inference.engine.engine import Engine
from vosmem.inference.output.mask_writer import write_labels
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.inputs.open import open_videos
from vosmem.memory.policy import EveryN
from vosmem.visualization.contact_sheet import SheetRow, draw_sheet
from vosmem.visualization.overlay import overlay
from vosmem.visualization.video import write_video

VIDEO, MASK = None, None  # "holiday.mp4", "first.png"
CHECKPOINT = None  # "outputs/.../checkpoints/last.ckpt"

# %%
if VIDEO is None:
    scene = ["eval_set.scene.num_frames=16", "eval_set.scene.height=144", "eval_set.scene.width=256"]
    rendered = make(compose("evaluate", "eval_set=rendered", "eval_set.count=1", *scene).eval_set)[0]
    frames = [np.ascontiguousarray(rendered.frame(t).permute(1, 2, 0).numpy()) for t in range(len(rendered))]
    VIDEO, MASK = write_video(frames, Path("video.mp4"), 8), Path("first.png")
    write_labels(MASK, rendered.labels(0).numpy())

# %% [markdown]
# ## Open the video
#
# Frames are decoded on demand. The mask belongs to the first frame unless its name is that of another frame.

# %%
(found,) = open_videos(Path(VIDEO), Path(MASK))
sequence = found.open()
first = np.ascontiguousarray(sequence.frame(0).permute(1, 2, 0).numpy())
draw_sheet(
    [SheetRow("the first frame, and the mask", [first, overlay(first, sequence.given_mask(0).numpy())])], height=160
)

# %% [markdown]
# ## Segment
#
# The memory keeps every fifth frame and at most 200 MB.

# %%
untrained = ["experiment=pretrain_embedded", "datamodule.num_workers=0", "calibration.batches=16"]
network = load_network(CHECKPOINT) if CHECKPOINT else calibrated_network(compose("train", *untrained))
segmenter = Segmenter(network, Engine(torch.device("cpu")))
stream = segmenter.stream(EveryN(interval=5, budget_mb=200))
segmented = [stream.step(sequence.frame(t), sequence.given_mask(t)) for t in range(len(sequence))]

# %%
shown = np.linspace(0, len(sequence) - 1, 6).astype(int)
pictures = [
    overlay(sequence.frame(t).permute(1, 2, 0).numpy(), segmented[t].ids.numpy().astype(np.uint8)) for t in shown
]
draw_sheet([SheetRow(f"frames {', '.join(map(str, shown))}", pictures)], height=110)

# %% [markdown]
# ## Use the command line
#
# `vosmem segment` does the same and writes masks, an overlay video, a table of frames to check, and a report page:
#
# ```sh
# vosmem segment video.mp4 --mask first.png --weights last.ckpt --output out
# ```
