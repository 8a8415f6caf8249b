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
# # What does the memory hold over time?
#
# A memory policy decides which frames stay in memory. This notebook segments one rendered video with three policies. A
# point at (x, y) means: frame y was in memory while frame x was segmented. `trace_memory` records it, and answers why a
# frame was evicted.

# %%
from pathlib import Path

import torch
from figures import plot_memory
from IPython.display import Image

from vosmem.commands import compose, load_network, make
from vosmem.commands.training import calibrated_network
from vosmem.inference.propagation.memory_trace import trace_memory
from vosmem.visualization.contact_sheet import draw_sheet, rendered_rows

CHECKPOINT = None  # of a network with a gate: "outputs/.../checkpoints/last.ckpt"

# %% [markdown]
# Without a checkpoint, the network is an STM that starts from parts of the bundled REMN and is not trained. Its
# untrained gate gives every frame a probability of 0.88 to stay.

# %%
untrained = ["experiment=pretrain_embedded", "datamodule.num_workers=0", "calibration.batches=4", "model.gate=true"]
network = load_network(CHECKPOINT) if CHECKPOINT else calibrated_network(compose("train", *untrained))
scene = ["eval_set.scene.num_frames=30", "eval_set.scene.height=96", "eval_set.scene.width=160"]
videos = make(
    compose("evaluate", "eval_set=rendered", "eval_set.count=1", "eval_set.scene.num_objects=[1,1]", *scene).eval_set
)
draw_sheet(list(rendered_rows(videos, frames=6)), height=110)


# %%
def memory_plot(*overrides):
    """The memory over time under a policy, which is chosen as on the command line."""
    policy = make(compose("evaluate", *overrides).memory)
    moments = trace_memory(videos[0], network.eval(), policy, torch.device("cpu"))
    return Image(str(plot_memory(moments, Path("memory.png"), getattr(policy, "threshold", None))), width=800)


# %% [markdown]
# ## Every fifth frame
#
# STM's memory: the frame with the given mask, every fifth frame, and temporarily the previous frame. At the limit the
# oldest frame is evicted, but never the given one.

# %%
memory_plot("memory=every_n", "memory.interval=5", "memory.max_frames=5")

# %% [markdown]
# ## Adaptive update
#
# REMN's memory keeps a frame if the masks and features of the objects differ enough from those in the last kept frame.
# The dotted line is the threshold; `vosmem calibrate` finds one for a network.

# %%
memory_plot("memory=adaptive", "memory.threshold=0.45", "memory.least_certainty=0.0")

# %% [markdown]
# ## Dynamic memory bank
#
# A gate decides from the novelty of each frame how many frames stay. The least novel frame is evicted first.

# %%
memory_plot("memory=dynamic", "memory.interval=2")
