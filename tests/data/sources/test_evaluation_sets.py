"""Video sets as they are evaluated: which masks are given, which frames asked for, what is void of ground truth."""

import json
import shutil

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from PIL import Image

from tests.conftest import write_davis
from tests.youtubevos import labels_at, write_youtubevos
from vosmem.data.sources.evaluation_sets import evaluation_set
from vosmem.errors import InputError


@pytest.fixture
def youtubevos(tmp_path):
    return write_youtubevos(tmp_path / "ytv")


class TestYouTubeVOS:
    @pytest.mark.parametrize(("all_frames", "late", "count"), [(False, 2, 5), (True, 10, 21)])
    def test_objects_come_late_and_slots_follow(self, youtubevos, all_frames, late, count):
        sequence = evaluation_set("youtubevos", str(youtubevos), all_frames=all_frames)[0]
        assert (len(sequence), sequence.object_ids, sequence.given_at) == (count, (7, 3), (0, late))
        given = {t: sequence.given_mask(t) for t in range(count)}
        assert [t for t, mask in given.items() if mask is not None] == [0, late]
        assert np.array_equal(given[0].numpy() == 1, labels_at("0a", 0) == 7)
        assert np.array_equal(given[late].numpy() == 2, labels_at("0a", 10) == 3)
        assert given[late].max() == 2 and not (given[late] == 1).any()

    def test_only_the_frames_of_meta_json_are_asked_for(self, youtubevos):
        for all_frames in (False, True):
            for sequence in evaluation_set("youtubevos", str(youtubevos), all_frames=all_frames):
                asked = [name for t, name in enumerate(sequence.frame_names) if sequence.asks_for(t)]
                first = 0 if sequence.name == "0a" else 5
                assert asked == [f"{t:05d}" for t in range(first, 20, 5)]

    def test_ground_truth_and_seen_categories(self, youtubevos):
        with_truth = evaluation_set("youtubevos", str(youtubevos), all_frames=True, truth=str(youtubevos / "truth"))[0]
        assert [t for t in range(21) if with_truth.labels(t) is not None] == [0, 5, 10, 15, 20]
        assert np.array_equal(with_truth.labels(15).numpy() == 2, labels_at("0a", 15) == 3)
        assert with_truth.groups == {7: "seen", 3: "unseen"}
        without = evaluation_set("youtubevos", str(youtubevos))[0]
        assert without.labels(1) is None
        shutil.rmtree(youtubevos / "train")
        assert evaluation_set("youtubevos", str(youtubevos))[0].groups == {}

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda path: path.unlink(), "meta.json.*not found"),
            (lambda path: path.write_text("{"), "is not YouTube-VOS's meta.json"),
            (lambda path: path.write_text('{"videos": {"0a": {"objects": {"1": {}}}}}'), "is not YouTube-VOS's"),
            (lambda path: path.write_text('{"videos": {"0a": {"objects": {}}}}'), "'0b' is not in meta.json"),
        ],
    )
    def test_an_invalid_meta_json_is_named(self, youtubevos, spoil, message):
        spoil(youtubevos / "valid" / "meta.json")
        with pytest.raises(InputError, match=message):
            evaluation_set("youtubevos", str(youtubevos))

    def test_a_frame_that_is_asked_for_and_missing_is_named(self, youtubevos):
        path = youtubevos / "valid" / "meta.json"
        meta = json.loads(path.read_text())
        meta["videos"]["0a"]["objects"]["7"]["frames"] += ["00001"]
        path.write_text(json.dumps(meta))
        with pytest.raises(InputError, match=r"'0a': frame asked for '00001' has no frame .*1 in all"):
            evaluation_set("youtubevos", str(youtubevos))


class TestFolders:
    @pytest.fixture
    def folder(self, tmp_path):
        """Ground truth of every frame; object 9 comes at the second."""
        for name, ids in (("00000001", [0, 4]), ("00000002", [0, 4, 9]), ("00000003", [9, 0])):
            for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
                (tmp_path / kind / "cat").mkdir(parents=True, exist_ok=True)
                picture = Image.fromarray(np.resize(np.array(ids, np.uint8), (6, 6)))
                picture.save(tmp_path / kind / "cat" / f"{name}.{suffix}")
        return str(tmp_path)

    def test_only_the_first_mask_of_each_object_is_given(self, folder):
        """The leak that scores a method on its own input: full ground truth lies where the given masks do."""
        sequence = evaluation_set("folder", folder, exclude_last=False)[0]
        assert (sequence.object_ids, sequence.given_at, sequence.exclude_last) == ((4, 9), (0, 1), False)
        assert set(np.unique(sequence.given_mask(1))) == {0, 2}
        assert sequence.given_mask(2) is None
        assert set(np.unique(sequence.labels(1))) == {0, 1, 2}

    def test_without_late_objects_only_the_first_frame_gives_objects(self, folder):
        sequence = evaluation_set("folder", folder, late_objects=False)[0]
        assert (sequence.object_ids, sequence.given_at) == ((4,), (0,))

    def test_masks_without_an_object_are_named(self, folder):
        path = next(iter(evaluation_set("folder", folder)))  # the paths are known now
        for mask in path.video.mask_paths.values():
            Image.fromarray(np.zeros((6, 6), np.uint8)).save(mask)
        with pytest.raises(InputError, match="'cat': no mask holds an object"):
            evaluation_set("folder", folder)[0].object_ids  # noqa: B018


def test_test_dev_has_only_first_masks(tmp_path):
    root = write_davis(tmp_path / "davis", {"one": 1, "two": 2})
    (root / "ImageSets" / "2017" / "val.txt").rename(root / "ImageSets" / "2017" / "test-dev.txt")
    for mask in (root / "Annotations").rglob("*.png"):
        if mask.stem != "00000":
            mask.unlink()
    videos = evaluation_set("davis", str(root), year=2017, image_set="test-dev")
    assert [[video.labels(t) is None for t in range(5)] for video in videos] == [[False] + [True] * 4] * 2


@pytest.mark.parametrize(
    ("name", "submission"),
    [
        ("davis17", ""), ("davis17_test_dev", ""), ("mose", ""), ("youtubevos18", "Annotations"),
        ("youtubevos19", "Annotations"), ("lvos", "Annotations"), ("folder", None), ("long_video", None),
    ],
)  # fmt: skip
def test_config_names_the_submission_folder(name, submission, youtubevos, davis):
    root = davis if "davis" in name else youtubevos if "youtubevos" in name else youtubevos / "valid"
    if name == "davis17_test_dev":
        (davis / "ImageSets" / "2017" / "val.txt").rename(davis / "ImageSets" / "2017" / "test-dev.txt")
    if name == "long_video":  # needs a mask of the first frame
        shutil.rmtree(youtubevos / "valid" / "Annotations" / "0b")
    with initialize_config_module("vosmem.conf", version_base="1.3"):
        config = compose("evaluate", [f"eval_set={name}", f"eval_set.root={root}"])
    videos = instantiate(config.eval_set)
    assert len(videos) and videos.submission == submission
