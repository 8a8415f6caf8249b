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
# A video object segmentation network is trained on short clips. Real video with masks is scarce, so pretraining makes
# clips from photographs, and a renderer makes video from cut-out objects. This notebook shows both. A clip depends on
# its seed only: running a cell again gives an equal clip.

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
# These photographs come with scikit-image; this project outlined the objects. Any other set of images can be used:
# `train_images=folder paths.images=MY/IMAGES`, `train_images=coco`, ...
#
# ## One photograph, three frames
#
# The paper's augmentation draws a random rotation, shear, zoom, crop and colour change for every frame. From left to
# right: the photograph, the clip, the clip with its masks. Objects that are not visible in frame 0 are background.

# %%
paper = make(compose("train", "augmentation=paper", "augmentation.size=192").augmentation)
draw_sheet(list(clip_rows(photographs, paper, count=4, seed=1)), height=120)

# %% [markdown]
# ## Each transform separately
#
# `augmentation=rich` adds transforms that are not affine. Each row shows one of its transforms with probability 1 on
# frames that are otherwise only resized and cropped. Colours change twice: once per clip and once per frame.

# %%
rich = make(compose("train", "augmentation=rich", "augmentation.size=192").augmentation)


def with_only(transform: A.BasicTransform) -> ClipAugmentation:
    """An augmentation that applies one transform to every frame, and crops."""
    transform.p = 1.0
    crop = [] if isinstance(transform, CropAffine) else [CropAffine(192)]
    return ClipAugmentation(192, [ZoomShortSide(192, (1.1, 1.1))], [*crop, transform], max_objects=2)


rows = []
for transform in [*rich.clip_transforms, *rich.frame_transforms]:
    if not isinstance(transform, ZoomShortSide):
        (row,) = clip_rows(photographs, with_only(transform), count=1, seed=4)
        rows.append(row._replace(caption=type(transform).__name__))
draw_sheet(rows, height=96)

# %% [markdown]
# ## Objects that move independently
#
# An affine map moves the whole image. Objects pasted from other photographs move independently and occlude others. Some
# are look-alikes: copies of an object that are background.

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
# Main training needs video in which objects leave and return, cross and occlude each other, under a moving camera.
# Masks of rendered video are exact. Every second image is shown without its mask.

# %%
videos = RenderedVideos(photographs, make(compose("gallery", "scene=small").scene), count=3, seed=2)
draw_sheet(list(rendered_rows(videos, frames=6)), height=110)

# %% [markdown]
# ## Maximum skip
#
# A clip of a video has random skips between its frames. The curriculum increases the maximum number of skipped frames
# with the epoch, from 0 to 25.

# %%
schedule = make(compose("train", "curriculum=paper").curriculum)
{epoch: schedule(epoch) for epoch in (0, 20, 40, 60, 80, 100, 259)}
