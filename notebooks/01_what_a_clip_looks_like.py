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
# # What does a training clip look like?
#
# A network that follows objects through video learns from short clips. Real video with masks is scarce, so the first
# stage makes its clips from photographs, and further video is rendered from cut-out objects. Everything below is made
# when it is asked for, and a clip depends on its seed alone: run a cell again and the same clip comes back.

# %%
import albumentations as A

from vosmem.commands import compose, make
from vosmem.data.clips.image_clips import ClipAugmentation
from vosmem.data.clips.transforms import CropAffine, ZoomShortSide
from vosmem.data.rendering.rendered_videos import RenderedVideos
from vosmem.visualization.contact_sheet import clip_rows, draw_sheet, image_rows, rendered_rows

photographs = make(compose("gallery", "train_images=embedded").train_images)
draw_sheet(list(image_rows(photographs, count=6, seed=0)), height=120)

# %% [markdown]
# These photographs come with scikit-image; the objects were outlined for this project. Any set of stills takes their
# place: `train_images=folder paths.images=MY/IMAGES`, `train_images=coco`, ...
#
# ## One photograph, three frames
#
# The paper's recipe turns, shears, zooms, shifts, cuts and recolours the photograph anew for every frame. From left to
# right: the photograph, the clip, the clip with its masks. Objects that frame 0 does not show are background.

# %%
paper = make(compose("train", "augmentation=paper", "augmentation.size=192").augmentation)
draw_sheet(list(clip_rows(photographs, paper, count=4, seed=1)), height=120)

# %% [markdown]
# ## Each transform by itself
#
# `augmentation=rich` adds what an affine map lacks. Here every transform of it stands alone and is always done
# (`p=1`), on
# frames that are otherwise only resized and cut out. Colours are jittered twice: once for a clip, once for each frame.

# %%
rich = make(compose("train", "augmentation=rich", "augmentation.size=192").augmentation)


def alone(transform: A.BasicTransform) -> ClipAugmentation:
    """A augmentation that does this transform to every frame, and cuts."""
    transform.p = 1.0
    cut = [] if isinstance(transform, CropAffine) else [CropAffine(192)]
    return ClipAugmentation(192, [ZoomShortSide(192, (1.1, 1.1))], [*cut, transform], max_objects=2)


rows = []
for transform in [*rich.clip_transforms, *rich.frame_transforms]:
    if not isinstance(transform, ZoomShortSide):
        (row,) = clip_rows(photographs, alone(transform), count=1, seed=4)
        rows.append(row._replace(caption=type(transform).__name__))
draw_sheet(rows, height=96)

# %% [markdown]
# ## Objects that move by themselves
#
# An affine map moves everything alike. Pasted objects of other photographs move on their own, hide what lies behind
# them, and some are copies of a followed object that must not be followed: look-alikes.

# %%
crowded = ClipAugmentation(
    size=192,
    clip_transforms=[ZoomShortSide(192, (1.0, 1.2))],
    frame_transforms=[CropAffine(192, rotate=(-10.0, 10.0))],
    num_frames=4,
    max_objects=2,
    pasting=rich.pasting,
)
draw_sheet(list(clip_rows(photographs, crowded, count=4, seed=5)), height=96)

# %% [markdown]
# ## Rendered video
#
# Main training wants video: objects that leave and return, cross and hide each other, under a moving camera. The mask
# is exact because the renderer knows where everything is. Every second picture is shown without its mask.

# %%
videos = RenderedVideos(photographs, make(compose("gallery", "scene=small").scene), count=3, seed=2)
draw_sheet(list(rendered_rows(videos, frames=6)), height=110)

# %% [markdown]
# ## How far apart frames may lie
#
# Clips of video are frames of one video with random gaps. The curriculum widens them: at first neighbours, in the end
# up to 26 frames apart.

# %%
schedule = make(compose("train", "curriculum=paper").curriculum)
{epoch: schedule(epoch) for epoch in (0, 20, 40, 60, 80, 100, 259)}
