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
# # Where does the network look?
#
# To segment a frame, every cell of it (16 x 16 pixels) asks every cell of the frames in memory: how alike are we? The
# answers, after a softmax, are weights that sum to one. Here they are drawn as heat over the remembered frames for one
# pixel of the current frame, as in Figure 5 of the STM paper. The weights come from the network's own read.
#
# The REMN is the one that comes with the package. Give the checkpoint of an STM to see a trained one. Without a
# checkpoint, the STM starts from parts of that REMN, and the head of its memory is fitted to a few clips in seconds.

# %%
import numpy as np

from vosmem.commands import compose, load_network, make
from vosmem.commands.training import calibrated_network
from vosmem.inference.propagation.attention_maps import attention_maps
from vosmem.inference.propagation.propagator import Propagator
from vosmem.memory.policy import EveryN
from vosmem.visualization.attention import attention_row
from vosmem.visualization.contact_sheet import draw_sheet

STM_CHECKPOINT = None  # "outputs/.../checkpoints/last.ckpt"
REMN_CHECKPOINT = "remn_small"  # or a file; None for one that was never trained

# %%
embedded = ["experiment=pretrain_embedded", "datamodule.num_workers=0", "calibration.batches=8"]
remn = ["model=remn_small", "model.weights=none", "model.value_weights=none", "calibration.teacher=null"]
chosen = {"STM": (STM_CHECKPOINT, embedded), "REMN": (REMN_CHECKPOINT, [*embedded, *remn])}
networks = {
    name: load_network(checkpoint) if checkpoint else calibrated_network(compose("train", *overrides))
    for name, (checkpoint, overrides) in chosen.items()
}

# %% [markdown]
# ## Clips to look at
#
# Photographs that no training here sees, turned and cut anew for every frame: the network has to find the same thing
# again in another place.

# %%
longer = ["validation_augmentation.size=192", "validation_augmentation.num_frames=5"]
clips = make(compose("train", *embedded, *longer).datamodule.sequences)


def middle(labels, number):
    """The pixel of an object that lies closest to its middle: row, column."""
    rows, columns = np.nonzero(labels == number)
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return int(rows[nearest]), int(columns[nearest])


def lines(clip, pixel=None):
    """The last frame's pixel, and where each network looks for it; by default the middle of the first object."""
    pictures = [np.ascontiguousarray(clip.frame(t).permute(1, 2, 0).numpy()) for t in range(len(clip))]
    pixel = pixel or middle(clip.labels(len(clip) - 1).numpy(), 1)
    for name, network in networks.items():
        propagator = Propagator(network.eval(), EveryN(interval=1))
        for t in range(len(clip)):
            propagator.step(clip.frame(t).float() / 255, clip.given_mask(t))
        found = attention_maps(propagator, [pixel], object_id=1, size=pictures[0].shape[:2])
        shares = "   ".join(f"{t}: {share:.0%}" for t, share in zip(found.frames, found.shares.tolist(), strict=True))
        remembered = [pictures[t] for t in found.frames]
        yield attention_row(f"{name}, frames in memory {shares}", pictures[-1], [pixel], remembered, found.maps.numpy())


# %% [markdown]
# Left the frame that asks, with its pixel in red; right of it the frames in memory, and above them how much of the
# attention each gets. One scale of heat holds for a line. STM looks by the dot product of two different encodings, REMN
# by the distance of two equal ones.

# %%
draw_sheet([line for place in (1, 2, 3) for line in lines(clips[place])], height=150)

# %% [markdown]
# ## Another pixel
#
# One of the background: it has something to say, too, since what is background there is background here.

# %%
draw_sheet(list(lines(clips[1], pixel=(20, 150))), height=150)
