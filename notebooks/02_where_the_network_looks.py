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
# # Where does the network attend?
#
# To segment a frame, the network compares each of its cells (16 x 16 pixels) with all cells of the frames in memory. A
# softmax turns the similarities into attention weights that sum to one. This notebook draws the attention of one pixel
# of the current frame over the frames in memory, as in Figure 5 of the STM paper.
#
# The REMN is the bundled network. Set a checkpoint to see a trained STM. Without a checkpoint, the STM starts from
# parts of that REMN, and its memory head is fitted to a few clips in seconds.

# %%
import numpy as np
from figures import attention_row

from vosmem.commands import compose, load_network, make
from vosmem.commands.training import calibrated_network
from vosmem.inference.propagation.attention_maps import AttentionTracer
from vosmem.inference.propagation.propagator import Propagator
from vosmem.memory.policy import EveryN
from vosmem.visualization.contact_sheet import draw_sheet

STM_CHECKPOINT = None  # "outputs/.../checkpoints/last.ckpt"
REMN_CHECKPOINT = "remn_small"  # or a file; None for an untrained network

# %%
embedded = ["experiment=pretrain_embedded", "datamodule.num_workers=0", "calibration.batches=8"]
remn = ["model=remn_small", "model.weights=none", "model.value_weights=none", "calibration.teacher=null"]
chosen = {"STM": (STM_CHECKPOINT, embedded), "REMN": (REMN_CHECKPOINT, [*embedded, *remn])}
networks = {
    name: load_network(checkpoint) if checkpoint else calibrated_network(compose("train", *overrides))
    for name, (checkpoint, overrides) in chosen.items()
}

# %% [markdown]
# ## Clips
#
# The clips are made from held-out photographs with a random affine map per frame: the network has to find each object
# at another position.

# %%
longer = ["validation_augmentation.size=192", "validation_augmentation.num_frames=5"]
clips = make(compose("train", *embedded, *longer).datamodule.sequences)


def centre(labels, object_id):
    """The pixel of an object that is closest to its centroid: row, column."""
    rows, columns = np.nonzero(labels == object_id)
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return int(rows[nearest]), int(columns[nearest])


def attention_rows(clip, pixel=None):
    """The attention of a pixel of the last frame, for each network; by default the centre of the first object."""
    pictures = [np.ascontiguousarray(clip.frame(t).permute(1, 2, 0).numpy()) for t in range(len(clip))]
    pixel = pixel or centre(clip.labels(len(clip) - 1).numpy(), 1)
    for name, network in networks.items():
        propagator = Propagator(network.eval(), EveryN(interval=1))
        tracer = AttentionTracer(propagator)
        for t in range(len(clip)):
            propagator.step(clip.frame(t).float() / 255, clip.given_mask(t))
        found = tracer.maps([pixel], object_id=1, size=pictures[0].shape[:2])
        shares = "   ".join(f"{t}: {share:.0%}" for t, share in zip(found.frames, found.shares.tolist(), strict=True))
        remembered = [pictures[t] for t in found.frames]
        yield attention_row(f"{name}, frames in memory {shares}", pictures[-1], [pixel], remembered, found.maps.numpy())


# %% [markdown]
# The leftmost image is the current frame with the query pixel in red. The other images are the frames in memory; the
# caption gives the share of attention of each. All images of a row use one colour scale. STM compares keys of two
# encoders by their dot product, REMN keys of one encoder by their distance.

# %%
draw_sheet([row for index in (1, 2, 3) for row in attention_rows(clips[index])], height=150)

# %% [markdown]
# ## Another pixel
#
# A background pixel attends to background cells, so its readout says background too.

# %%
draw_sheet(list(attention_rows(clips[1], pixel=(20, 150))), height=150)
