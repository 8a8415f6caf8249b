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
# A policy says which frames stay. Below, one rendered video goes through three of them. A point at (x, y) says: while
# frame x was segmented, frame y was in memory.

# %%
from pathlib import Path

import torch
from IPython.display import Image

from vosmem.commands import compose, load_network, make
from vosmem.commands.training import calibrated_network
from vosmem.inference.propagation.memory_trace import trace_memory
from vosmem.visualization.contact_sheet import draw_sheet, rendered_rows
from vosmem.visualization.memory import plot_memory

CHECKPOINT = None  # of a network with a gate: "outputs/.../checkpoints/last.ckpt"

# %% [markdown]
# Without a checkpoint, the network is an STM that starts from parts of the package's REMN and was not trained further;
# its gate, which is untrained, says of every frame that it stays with a probability of 0.88.

# %%
untrained = ["experiment=pretrain_embedded", "datamodule.num_workers=0", "calibration.batches=4", "model.gate=true"]
network = load_network(CHECKPOINT) if CHECKPOINT else calibrated_network(compose("train", *untrained))
scene = ["eval_set.scene.num_frames=30", "eval_set.scene.height=96", "eval_set.scene.width=160"]
videos = make(
    compose("evaluate", "eval_set=rendered", "eval_set.count=1", "eval_set.scene.num_objects=[1,1]", *scene).eval_set
)
draw_sheet(list(rendered_rows(videos, frames=6)), height=110)


# %%
def drawn(*overrides):
    """The memory of a policy, named as on the command line."""
    policy = make(compose("evaluate", *overrides).memory)
    moments = trace_memory(videos[0], network.eval(), policy, torch.device("cpu"))
    return Image(str(plot_memory(moments, Path("memory.png"), getattr(policy, "threshold", None))), width=800)


# %% [markdown]
# ## Every fifth frame
#
# STM's memory: the frame with the given mask, every fifth, and the frame before, which goes again. With a limit the
# oldest go, but never the given one.

# %%
drawn("memory=every_n", "memory.interval=5", "memory.max_frames=5")

# %% [markdown]
# ## When something has changed
#
# REMN's: a frame is kept once the objects differ enough from what they were in the frame kept last, by outline and by
# looks. The dotted line is the threshold; `vosmem calibrate` finds one for a network.

# %%
drawn("memory=adaptive", "memory.threshold=0.45", "memory.least_certainty=0.0")

# %% [markdown]
# ## As many as say something new
#
# A gate looks at how new each remembered frame is beside the others, and says how many may stay. What says the least
# goes first.

# %%
drawn("memory=dynamic", "memory.interval=2")
