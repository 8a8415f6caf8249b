"""Public image sets in their authors' layout, with the irregularities of common copies."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torchvision
from hydra.utils import instantiate
from PIL import Image

from tests.messages import naming
from vosmem.data.sources.checks import check_images
from vosmem.data.sources.image_sets import ImageSource
from vosmem.data.sources.known_image_sets import SALIENCY_LAYOUTS, SaliencySet, SbdInstances, VocInstances
from vosmem.errors import InputError

SILHOUETTE = np.zeros((6, 8), np.uint8)
SILHOUETTE[1:4, 2:7] = 1

# Image and mask, as named by the set's authors.
FILES = {
    "ecssd": ("images/0001.jpg", "ground_truth_mask/0001.png"),
    "msra10k": ("Imgs/77.jpg", "Imgs/77.png"),
    "duts": ("DUTS-TR-Image/ILSVRC2012_1.jpg", "DUTS-TR-Mask/ILSVRC2012_1.png"),
    "duts_test": ("DUTS-TE-Image/ILSVRC2012_2.jpg", "DUTS-TE-Mask/ILSVRC2012_2.png"),
    "hku_is": ("imgs/0004.png", "gt/0004.png"),
    "pascal_s": ("datasets/imgs/pascal/1.jpg", "datasets/masks/pascal/1.png"),
    "fss1000": ("abacus/1.jpg", "abacus/1.png"),
    "big": ("2007_1_im.jpg", "2007_1_gt.png"),
    "hrsod": ("HRSOD_train/a_1.jpg", "HRSOD_train_mask/a_1.png"),
}


def save(path: Path, picture: np.ndarray, mode: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture)
    (image.convert(mode) if mode else image).save(path)
    return path


def save_still(root, files, mask=SILHOUETTE * 255, mode=None, shape=(6, 8)):
    save(root / files[0], np.full((*shape, 3), 90, np.uint8))
    save(root / files[1], mask, mode)


def test_every_layout_is_tried():
    assert FILES.keys() == SALIENCY_LAYOUTS.keys()


@pytest.mark.parametrize("layout", FILES)
class TestSaliencySet:
    def test_layout_of_the_authors(self, tmp_path, layout):
        save_still(tmp_path, FILES[layout])
        source = SaliencySet(layout, str(tmp_path))
        assert isinstance(source, ImageSource) and len(source) == 1
        assert source.name(0).startswith(f"{layout}/")
        assert source.sizes(0) == ((8, 6), (8, 6))
        assert np.array_equal(source.read(0).labels, SILHOUETTE)
        assert source.read(0).image.shape == (6, 8, 3)

    def test_images_and_masks_folders(self, tmp_path, layout):
        save_still(tmp_path, ("images/a.jpg", "masks/a.png"))
        assert np.array_equal(SaliencySet(layout, str(tmp_path)).read(0).labels, SILHOUETTE)

    def test_images_and_masks_in_one_folder(self, tmp_path, layout):
        save_still(tmp_path, ("a.jpg", "a.png"))
        save_still(tmp_path, ("b.JPG", "b.png"))
        assert len(SaliencySet(layout, str(tmp_path))) == 2

    def test_files_that_are_no_images_are_ignored(self, tmp_path, layout):
        save_still(tmp_path, FILES[layout])
        for name in (".DS_Store", "Thumbs.db", "._x.jpg", "readme.txt"):
            for file in FILES[layout]:
                (tmp_path / file).with_name(name).write_text("no picture")
        assert len(SaliencySet(layout, str(tmp_path))) == 1

    def test_a_missing_mask_is_named(self, tmp_path, layout):
        save_still(tmp_path, FILES[layout])
        image, mask = (Path(file) for file in FILES[layout])
        save(tmp_path / image.with_name("z" + image.name), np.zeros((6, 8, 3), np.uint8))
        with pytest.raises(InputError, match=naming("1 files", f"z{image.name} has no mask")):
            SaliencySet(layout, str(tmp_path))
        save(tmp_path / mask.with_name("z" + mask.name), SILHOUETTE)
        save(tmp_path / mask.with_name("y" + mask.name), SILHOUETTE)
        with pytest.raises(InputError, match=naming("1 files", f"mask y{mask.name} has no image")):
            SaliencySet(layout, str(tmp_path))

    def test_another_layout_is_named(self, tmp_path, layout):
        save_still(tmp_path, ("elsewhere/a/b/1.jpg", "elsewhere/a/b/1.png"))
        with pytest.raises(InputError, match=naming(str(tmp_path), layout, "expected")):
            SaliencySet(layout, str(tmp_path))


@pytest.mark.parametrize(
    ("mask", "mode"),
    [
        (SILHOUETTE, None),
        (SILHOUETTE * 255, None),
        (SILHOUETTE * 255, "1"),
        (SILHOUETTE * 255, "RGB"),
        (SILHOUETTE * 255, "RGBA"),
        (SILHOUETTE.astype(np.uint16) * 65535, None),
        ((SILHOUETTE * 200 + 20).astype(np.uint8), None),
    ],
    ids=["0/1", "0/255", "one bit", "RGB", "RGBA", "16 bit", "grey"],
)
def test_masks_of_every_kind(tmp_path, mask, mode):
    save_still(tmp_path, FILES["ecssd"], mask, mode)
    assert np.array_equal(SaliencySet("ecssd", str(tmp_path)).read(0).labels, SILHOUETTE)


def test_soft_edges_are_thresholded_at_half(tmp_path):
    mask = np.array([[0, 60, 120, 180, 255]], np.uint8)
    save_still(tmp_path, FILES["ecssd"], mask, shape=(1, 5))
    assert SaliencySet("ecssd", str(tmp_path)).read(0).labels.tolist() == [[0, 0, 0, 1, 1]]


def test_an_empty_mask_has_no_object(tmp_path):
    save_still(tmp_path, FILES["ecssd"], SILHOUETTE * 0)
    assert not SaliencySet("ecssd", str(tmp_path)).read(0).labels.any()


def test_folders_of_classes_may_hold_equal_names(tmp_path):
    for name in ("abacus", "zucchini"):
        save_still(tmp_path, (f"{name}/1.jpg", f"{name}/1.png"))
    source = SaliencySet("fss1000", str(tmp_path))
    assert [source.name(index) for index in range(2)] == ["fss1000/abacus/1", "fss1000/zucchini/1"]


def test_a_mask_of_another_size_is_found_before_training(tmp_path):
    save_still(tmp_path, FILES["duts"], SILHOUETTE[:, :5])
    with pytest.raises(InputError, match=naming("1 of 1 images", "image 8x6, mask 5x6")):
        check_images(SaliencySet("duts", str(tmp_path)))


def test_unknown_set_and_missing_folder(tmp_path):
    with pytest.raises(InputError, match=naming("'duts-tr'", "ecssd, msra10k")):
        SaliencySet("duts-tr", str(tmp_path))
    with pytest.raises(InputError, match=naming("missing", "ecssd", "not found")):
        SaliencySet("ecssd", str(tmp_path / "missing"))


INSTANCES = SILHOUETTE * 2
INSTANCES[5, 0] = 1


@pytest.fixture(params=["", "VOC2012", "VOCdevkit/VOC2012"])
def voc(tmp_path, request):
    base = tmp_path / request.param
    mask = INSTANCES.copy()
    mask[0] = 255
    save_still(base, ("JPEGImages/2007_1.jpg", "SegmentationObject/2007_1.png"), mask)
    save(base / "JPEGImages" / "without_mask.jpg", np.zeros((6, 8, 3), np.uint8))
    lists = base / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "trainval.txt").write_text("2007_1\n")
    (lists / "train.txt").write_text("")
    return tmp_path


class TestVocInstances:
    def test_ids_are_objects_and_the_border_is_background(self, voc):
        source = VocInstances(str(voc))
        assert [source.name(index) for index in range(len(source))] == ["voc2012/2007_1"]
        assert np.array_equal(source.read(0).labels, INSTANCES)

    def test_lists(self, voc):
        with pytest.raises(InputError, match=naming("val.txt", "not found", "train, trainval")):
            VocInstances(str(voc), "val")
        with pytest.raises(InputError, match=naming("train.txt", "empty")):
            VocInstances(str(voc), "train")

    def test_a_listed_file_that_is_missing_is_found_before_training(self, voc):
        next(voc.rglob("2007_1.png")).unlink()
        with pytest.raises(InputError, match=naming("1 of 1 images", "2007_1.png", "missing")):
            check_images(VocInstances(str(voc)))

    def test_not_there(self, tmp_path):
        with pytest.raises(InputError, match=naming(str(tmp_path), "download=true")):
            VocInstances(str(tmp_path))

    def test_torchvision_downloads(self, tmp_path, monkeypatch):
        def unpack(root, year, image_set, download):
            assert (year, image_set, download) == ("2012", "trainval", True)
            base = Path(root) / "VOCdevkit" / "VOC2012"
            save_still(base, ("JPEGImages/a.jpg", "SegmentationObject/a.png"), INSTANCES)
            (base / "ImageSets" / "Segmentation").mkdir(parents=True)
            (base / "ImageSets" / "Segmentation" / "trainval.txt").write_text("a\n")

        monkeypatch.setattr(torchvision.datasets, "VOCSegmentation", unpack)
        assert np.array_equal(VocInstances(str(tmp_path), download=True).read(0).labels, INSTANCES)

    def test_a_download_that_fails_is_one_line(self, tmp_path, monkeypatch):
        def fail(*args, **kwargs):
            raise OSError("no network\nat all")

        monkeypatch.setattr(torchvision.datasets, "VOCSegmentation", fail)
        with pytest.raises(InputError, match=naming("VOC 2012", "OSError", "by hand")):
            VocInstances(str(tmp_path), download=True)


def save_sbd(path, labels):
    """As MATLAB wrote it: a structure with the instances and their classes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"Segmentation": labels, "Categories": np.array([[15], [2]], np.uint8)}
    scipy.io.savemat(path, {"GTinst": content})


@pytest.fixture(params=["", "dataset", "benchmark_RELEASE/dataset"])
def sbd(tmp_path, request):
    base = tmp_path / request.param
    save(base / "img" / "2008_1.jpg", np.zeros((6, 8, 3), np.uint8))
    save_sbd(base / "inst" / "2008_1.mat", INSTANCES)
    (base / "train.txt").write_text("2008_1\n")
    return tmp_path


class TestSbdInstances:
    def test_ids_are_objects(self, sbd):
        source = SbdInstances(str(sbd))
        check_images(source)
        assert source.sizes(0) == ((8, 6), (8, 6))
        assert source.read(0).labels.dtype == np.uint8
        assert np.array_equal(source.read(0).labels, INSTANCES)

    @pytest.mark.parametrize("content", [None, b"no MATLAB", "other"])
    def test_damaged_masks_are_found_before_training(self, sbd, content):
        path = next(sbd.rglob("2008_1.mat"))
        path.unlink()
        if content == "other":
            scipy.io.savemat(path, {"GTcls": {"Segmentation": INSTANCES}})
        elif content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=naming("1 of 1 images", "2008_1.mat")):
            check_images(SbdInstances(str(sbd)))

    def test_lists_and_folders(self, sbd):
        with pytest.raises(InputError, match=naming("val.txt", "not found", "train")):
            SbdInstances(str(sbd), "val")
        with pytest.raises(InputError, match=naming("download=true")):
            SbdInstances(str(sbd / "missing"))


def test_a_config_node_makes_a_set(tmp_path):
    save_still(tmp_path, FILES["big"])
    node = {"_target_": "vosmem.data.sources.known_image_sets.SaliencySet", "layout": "big", "root": str(tmp_path)}
    assert len(instantiate(node)) == 1
