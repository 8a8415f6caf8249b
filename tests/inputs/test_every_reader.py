"""Training, evaluation, a user's run and the page read the same objects from one mask file."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from vosmem.app.project import Project
from vosmem.app.uploads import Limits
from vosmem.data.decoding.palette import davis_palette
from vosmem.data.sources.coco import CocoInstances
from vosmem.data.sources.evaluation_sets import FolderSequence, evaluation_set
from vosmem.data.sources.image_sets import ImageMaskFolder
from vosmem.data.sources.training_videos import training_videos
from vosmem.data.sources.video_layouts import VideoFolder
from vosmem.inputs.open import open_videos

HEIGHT, WIDTH = 24, 32
STEMS = ("00000", "00001", "00002")


def blocks(*ids):
    """A mask with a block of 6x6 pixels of each id."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint16 if max(ids, default=0) > 255 else np.uint8)
    for index, number in enumerate(ids):
        mask[4:10, 2 + 8 * index : 8 + 8 * index] = number
    return mask


def objects(labels):
    """The set of regions of a mask, without their ids."""
    labels = np.asarray(labels)
    return {(labels == number).tobytes() for number in np.unique(labels) if number}


def as_palette(ids):
    picture = Image.fromarray(ids)
    picture.putpalette(davis_palette().ravel().tolist())
    return picture


PICTURES = {
    "palette": as_palette,
    "grey": Image.fromarray,
    "grey with alpha": lambda ids: Image.fromarray(ids).convert("LA"),
    "grey as RGB": lambda ids: Image.fromarray(ids).convert("RGB"),
    "16-bit grey": lambda ids: Image.fromarray(ids.astype(np.uint16)),
}
IDS = {
    "ids": ([1, 2], [2, 1], [1]),
    "only 255": ([255], [255], []),
    "void next to ids": ([1, 255, 3], [1, 255], [3]),
    "void and nothing else in a later frame": ([1, 3], [255], [1, 255]),
    "only 255, then 255 next to another id": ([255], [255, 7], [7]),
    "no object at first": ([], [255], [255]),
    "255 last": ([3, 254], [3, 254, 255], [255]),
}


def write_set(root, masks, save):
    """A video in the layout of DAVIS, which is also that of any folder but for the lists and the resolution."""
    for frames, annotations in (("JPEGImages", "Annotations"), ("JPEGImages/480p", "Annotations/480p")):
        base = root / ("davis" if "480p" in frames else "plain")
        for folder in (frames, annotations):
            (base / folder / "clip").mkdir(parents=True, exist_ok=True)
        for stem, ids in zip(STEMS, masks, strict=True):
            Image.new("RGB", (WIDTH, HEIGHT)).save(base / frames / "clip" / f"{stem}.jpg")
            save(blocks(*ids)).save(base / annotations / "clip" / f"{stem}.png")
    (root / "davis/ImageSets/2017").mkdir(parents=True)
    (root / "davis/ImageSets/2017/val.txt").write_text("clip\n")
    return root


def training(root):
    (video,) = training_videos("folder", str(root / "plain"))
    return [objects(video.read(t).labels) for t in range(3)]


def davis_training(root):
    (video,) = training_videos("davis", str(root / "davis"), year=2017, image_set="val")
    return [objects(video.read(t).labels) for t in range(3)]


def evaluation(root):
    frames, masks = (root / "plain" / folder / "clip" for folder in ("JPEGImages", "Annotations"))
    sequence = FolderSequence(VideoFolder("clip", frames, masks, masks, late_objects=True))
    return [objects(sequence.labels(t)) for t in range(3)]


def davis_evaluation(root):
    (sequence,) = evaluation_set("davis", str(root / "davis"), year=2017)
    return [objects(sequence.labels(t)) for t in range(3)]


def user(root):
    (video,) = open_videos(root / "plain/JPEGImages/clip", root / "plain/Annotations/clip")
    return given(video.open())


def given(video):
    masks = [video.given_mask(t) for t in range(len(video))]
    return [set() if mask is None else objects(mask) for mask in masks]


@pytest.mark.parametrize("save", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("masks", IDS.values(), ids=IDS)
def test_masks_of_a_video(tmp_path, masks, save):
    root = write_set(tmp_path, masks, save)
    first = next(ids for ids in masks if ids)
    void = 255 if save is not PICTURES["16-bit grey"] and first != [255] else 0
    readers = [training, davis_training, evaluation, user]
    if {number for ids in masks for number in ids} - {void} <= set(masks[0]):
        readers.append(davis_evaluation)  # of DAVIS, whose objects are all in the first mask
    found = {reader.__name__: reader(root) for reader in readers}
    right = [objects(np.where(blocks(*ids) == void, 0, blocks(*ids))) for ids in masks]
    assert found == dict.fromkeys(found, right)


@pytest.mark.parametrize("save", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("ids", [[1, 2], [255], [1, 255, 3]], ids=str)
def test_mask_of_an_image(tmp_path, ids, save):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images/0.png")
    save(blocks(*ids)).save(tmp_path / "masks/0.png")
    drawn = page(tmp_path, tmp_path / "masks/0.png")
    (video,) = open_videos(tmp_path / "images", tmp_path / "masks/0.png")
    assert objects(ImageMaskFolder(str(tmp_path)).read(0).labels) == given(video.open())[0] == drawn


def page(folder, masks):
    """The objects that the page shows and gives to the network after an upload of masks."""
    project = Project(folder / "page", folder / "images", Limits())
    project.load_masks(masks, 0)
    (shown,), (used,) = [objects(project.ids(0))], given(project.video())
    assert shown == used
    return used


OUTLINE = [3.2, 2.7, 17.5, 4.1, 21.3, 15.9, 9.6, 19.4, 4.4, 11.2]  # its edges cut pixels everywhere
DRAWN = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([OUTLINE], HEIGHT, WIDTH)))


def compressed():
    encoded = coco_mask.encode(np.asfortranarray(DRAWN))
    return {"size": encoded["size"], "counts": encoded["counts"].decode()}


def uncompressed():
    column = np.concatenate([[0], DRAWN.T.ravel(), [2]])
    return {"size": [HEIGHT, WIDTH], "counts": np.diff(np.flatnonzero(np.diff(column)), prepend=0).tolist()}


def coco(segmentation):
    entry = {"id": 1, "image_id": 1, "category_id": 1, "area": int(DRAWN.sum()), "iscrowd": 0}
    return {
        "images": [{"id": 1, "file_name": "0.png", "height": HEIGHT, "width": WIDTH}],
        "annotations": [{**entry, "segmentation": segmentation}],
        "categories": [{"id": 1, "name": "thing"}],
    }


def labelme():
    shape = {"label": "thing", "shape_type": "polygon", "points": np.reshape(OUTLINE, (-1, 2)).tolist()}
    return {"shapes": [shape], "imagePath": "0.png", "imageHeight": HEIGHT, "imageWidth": WIDTH}


FILES = {
    "COCO polygon": coco([OUTLINE]),
    "COCO run lengths": coco(uncompressed()),
    "COCO compressed": coco(compressed()),
    "LabelMe polygon": labelme(),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_outlines_and_run_lengths(tmp_path, content):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images/0.png")
    path = tmp_path / "0.json"
    path.write_text(json.dumps(content))
    (video,) = open_videos(tmp_path / "images", path)
    found = [given(video.open())[0], page(tmp_path, path)]
    if "images" in content:
        found.append(objects(CocoInstances(str(path), str(tmp_path / "images")).read(0).labels))
    assert found == [objects(DRAWN)] * len(found)
