"""Videos in DAVIS layout and clips in the same shape: which frames, masks and ids evaluation sees."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.golden_video import video
from tests.messages import naming
from vosmem.data.clips.image_clips import ClipAugmentation
from vosmem.data.clips.transforms import CropAffine
from vosmem.data.sources.evaluation_sets import FolderSequence, evaluation_set
from vosmem.data.sources.image_sets import ImageMaskFolder
from vosmem.data.sources.video_layouts import VideoFolder
from vosmem.data.videos import ClipSequence, RepeatedSequences, SyntheticSequences
from vosmem.errors import InputError


def save_sequence(root, masks, names=None):
    """Frames and masks of one sequence, None for a frame without mask; frame t is of colour (t, t, t)."""
    names = names or [f"{t:05d}" for t in range(len(masks))]
    for folder in ("frames", "masks"):
        (root / folder).mkdir(parents=True)
    for t, (name, ids) in enumerate(zip(names, masks, strict=True)):
        Image.new("RGB", (4, 3), (t, t, t)).save(root / "frames" / f"{name}.png")
        if ids is not None:
            Image.fromarray(picture_of(ids)).save(root / "masks" / f"{name}.png")
    return root / "frames", root / "masks", root / "masks"


def picture_of(ids):
    """3x4 pixels that hold the ids in turn."""
    return np.resize(np.array(ids, np.uint8), (3, 4))


def folder_sequence(frames, masks, truth, **settings):
    return FolderSequence(VideoFolder("fish", frames, masks, truth, **settings))


class TestFolderSequence:
    def test_frames_masks_and_ids(self, tmp_path):
        sequence = folder_sequence(*save_sequence(tmp_path, [[0, 3, 200], None, [200, 0]]))
        assert (sequence.name, len(sequence), sequence.object_ids) == ("fish", 3, (3, 200))
        assert list(sequence.frame_names) == ["00000", "00001", "00002"]
        for t in range(3):
            assert torch.equal(sequence.frame(t), torch.full((3, 3, 4), t, dtype=torch.uint8))
        assert np.array_equal(sequence.labels(0), picture_of([0, 1, 2]))
        assert sequence.labels(1) is None
        assert np.array_equal(sequence.labels(2), picture_of([2, 0]))

    def test_only_the_first_mask_is_given(self, tmp_path):
        sequence = folder_sequence(*save_sequence(tmp_path, [[0, 3]] * 3))
        assert torch.equal(sequence.given_mask(0), sequence.labels(0))
        assert [sequence.given_mask(t) for t in (1, 2)] == [None, None]

    def test_frames_are_in_natural_order(self, tmp_path):
        sequence = folder_sequence(*save_sequence(tmp_path, [[0, 1]] * 3, names=["1", "2", "10"]))
        assert list(sequence.frame_names) == ["1", "2", "10"]
        assert [int(sequence.frame(t)[0, 0, 0]) for t in range(3)] == [0, 1, 2]

    def test_ids_that_come_later_are_background(self, tmp_path):
        sequence = folder_sequence(*save_sequence(tmp_path, [[0, 2], [7, 2, 0, 1]]))
        assert sequence.object_ids == (2,)
        assert np.array_equal(sequence.labels(1), picture_of([0, 1, 0, 0]))

    @pytest.mark.parametrize("ids", [[0, 255], [1, 255], [255]])
    def test_void_is_background_in_every_frame(self, tmp_path, ids):
        sequence = folder_sequence(*save_sequence(tmp_path, [[0, 1, 255], ids]))
        assert np.array_equal(sequence.labels(1), picture_of([i % 255 for i in ids]))

    @pytest.mark.parametrize("ids", [[0, 3, 200], [0, 255]])
    def test_merged_objects_are_one(self, tmp_path, ids):
        sequence = folder_sequence(*save_sequence(tmp_path, [ids, ids]), merge_objects=True)
        assert sequence.object_ids == (1,)
        assert np.array_equal(sequence.labels(1), picture_of(ids) > 0)

    def test_files_that_are_no_images_are_ignored(self, tmp_path):
        frames, masks, _ = save_sequence(tmp_path, [[0, 1]])
        for folder in (frames, masks):
            (folder / ".DS_Store").write_text("no picture")
            (folder / "Thumbs.db").write_text("no picture")
        assert len(folder_sequence(frames, masks, masks)) == 1

    @pytest.mark.parametrize("masks", [[None, [0, 1]], [None, [0, 1], [0, 1]]])
    def test_a_missing_first_mask_is_named(self, tmp_path, masks):
        with pytest.raises(InputError, match=naming("'fish'", "00000.png", "masks")):
            folder_sequence(*save_sequence(tmp_path, masks))

    def test_masks_without_frame_are_named_and_counted(self, tmp_path):
        frames, masks, _ = save_sequence(tmp_path, [[0, 1]] * 4)
        for name in ("00001", "00003"):
            (frames / f"{name}.png").unlink()
        with pytest.raises(InputError, match=naming("'fish'", "00001", "frames", "2 in all")):
            folder_sequence(frames, masks, masks)

    def test_a_first_mask_without_object_is_named(self, tmp_path):
        with pytest.raises(InputError, match=naming("'fish'", "00000.png", "no object")):
            folder_sequence(*save_sequence(tmp_path, [[0], [0, 1]]))

    @pytest.mark.parametrize("folder", ["frames", "masks"])
    @pytest.mark.parametrize("empty", [True, False])
    def test_a_missing_or_empty_folder_is_named(self, tmp_path, folder, empty):
        folders = save_sequence(tmp_path, [[0, 1]])
        (tmp_path / folder / "00000.png").unlink()
        if not empty:
            (tmp_path / folder).rmdir()
        with pytest.raises(InputError, match=naming(folder, "holds no images" if empty else "not found")):
            folder_sequence(*folders)

    def test_a_broken_frame_is_named(self, tmp_path):
        frames, masks, _ = save_sequence(tmp_path, [[0, 1]] * 2)
        (frames / "00001.png").write_text("no picture")
        sequence = folder_sequence(frames, masks, masks)
        with pytest.raises(InputError, match=naming("frames/00001.png")):
            sequence.frame(1)


class TestDavis:
    @pytest.mark.parametrize(("year", "ids"), [(2016, [(1,), (1,)]), (2017, [(1,), (1, 2)])])
    def test_2016_merges_objects_and_2017_keeps_them(self, davis, year, ids):
        sequences = evaluation_set("davis", str(davis), year=year)
        assert [sequence.name for sequence in sequences] == ["one", "two"]
        assert [sequence.object_ids for sequence in sequences] == ids
        for seed, sequence in enumerate(sequences):
            expected = video(5, 48, 80, seed + 1, seed)[1]
            for t in range(5):
                merged = np.minimum(expected[t], 1) if year == 2016 else expected[t]
                assert np.array_equal(sequence.labels(t), merged)

    def test_the_last_frame_is_left_out_of_the_score(self, davis):
        assert all(sequence.exclude_last for sequence in evaluation_set("davis", str(davis), year=2017))

    def test_the_list_of_2016_may_hold_two_paths_a_line(self, davis):
        (davis / "ImageSets" / "2016" / "val.txt").unlink()
        (davis / "ImageSets" / "480p").mkdir()
        lines = [
            f"/JPEGImages/480p/{name}/{t:05d}.jpg /Annotations/480p/{name}/{t:05d}.png"
            for name in ("two", "one")
            for t in range(5)
        ]
        (davis / "ImageSets" / "480p" / "val.txt").write_text("\n".join(lines) + "\n")
        assert [sequence.name for sequence in evaluation_set("davis", str(davis), year=2016)] == ["two", "one"]

    def test_the_list_of_the_year_is_taken(self, davis):
        (davis / "ImageSets" / "2017" / "val.txt").write_text("two\r\n\n")
        assert [sequence.name for sequence in evaluation_set("davis", str(davis), year=2017)] == ["two"]
        assert len(evaluation_set("davis", str(davis), year=2016)) == 2

    def test_chosen_sequences(self, davis):
        assert [sequence.name for sequence in evaluation_set("davis", str(davis), year=2017, sequences=["two"])] == [
            "two"
        ]

    def test_an_unknown_sequence_is_named(self, davis):
        with pytest.raises(InputError, match=naming("'three'", "val", "one, two")):
            evaluation_set("davis", str(davis), year=2017, image_set="val", sequences=["one", "three"])

    def test_a_missing_root_is_named(self, tmp_path):
        with pytest.raises(InputError, match=naming("missing", "eval_set.root")):
            evaluation_set("davis", str(tmp_path / "missing"), year=2017)

    def test_a_missing_list_is_named(self, davis):
        with pytest.raises(InputError, match=naming("test-dev.txt", "ImageSets/2017/test-dev.txt")):
            evaluation_set("davis", str(davis), year=2017, image_set="test-dev")

    def test_an_empty_list_is_named(self, davis):
        (davis / "ImageSets" / "2017" / "val.txt").write_text("\n \n")
        with pytest.raises(InputError, match=naming("2017/val.txt", "empty")):
            evaluation_set("davis", str(davis), year=2017)

    def test_a_listed_sequence_without_frames_is_named(self, davis):
        (davis / "ImageSets" / "2017" / "val.txt").write_text("one\nthree\n")
        with pytest.raises(InputError, match=naming("JPEGImages/480p/three")):
            evaluation_set("davis", str(davis), year=2017)


class TestSyntheticSequences:
    @pytest.fixture
    def make(self, images):
        source = ImageMaskFolder(str(images))
        augmentation = ClipAugmentation(48, [], [CropAffine(48, rotate=(-20.0, 20.0))])
        return lambda count, seed: SyntheticSequences(source, augmentation, count, seed)

    @staticmethod
    def same(first, second):
        return all(torch.equal(a.frame(t), b.frame(t)) for a, b in zip(first, second, strict=True) for t in range(3))

    def test_equal_seeds_give_equal_sequences_and_other_seeds_others(self, make):
        assert self.same(make(3, 1), make(3, 1))
        pairs = zip(make(3, 1), make(3, 2), strict=True)
        assert not any(torch.equal(one.frame(t), other.frame(t)) for one, other in pairs for t in (1, 2))

    def test_a_longer_set_starts_with_the_shorter_one(self, make):
        assert self.same(make(6, 1)[:3], make(3, 1))

    def test_names_cycle_through_the_images_and_differ(self, make):
        sequences = make(6, 1)
        assert [sequence.name[:3] for sequence in sequences] == ["000", "001", "002", "003", "000", "001"]
        assert len({sequence.name for sequence in sequences}) == 6
        assert not torch.equal(sequences[0].frame(0), sequences[4].frame(0))

    def test_a_clip_is_a_sequence(self):
        frames, labels = video(4, 16, 24, 2)
        clip = ClipSequence("clip", frames, labels, 2)
        assert (len(clip), clip.object_ids, clip.exclude_last) == (4, (1, 2), False)
        assert list(clip.frame_names) == ["00000", "00001", "00002", "00003"]
        for t in range(4):
            assert np.array_equal(clip.frame(t).permute(1, 2, 0), frames[t])
            assert np.array_equal(clip.labels(t), labels[t])
        assert torch.equal(clip.given_mask(0), clip.labels(0))
        assert [clip.given_mask(t) for t in (1, 2, 3)] == [None] * 3


def test_repeated_frames_are_the_same_video_slower(davis):
    (one, *_) = evaluation_set("davis", str(davis), year=2017)
    slow = RepeatedSequences([one], 3)[0]
    assert len(slow) == 3 * len(one) and len(set(slow.frame_names)) == len(slow)
    assert slow.object_ids == one.object_ids and slow.given_at == one.given_at
    for t in range(len(slow)):
        assert torch.equal(slow.frame(t), one.frame(t // 3)) and torch.equal(slow.labels(t), one.labels(t // 3))
        assert (slow.given_mask(t) is None) == (t > 0) and slow.asks_for(t) == one.asks_for(t // 3)
    with pytest.raises(InputError, match="times=0"):
        RepeatedSequences([one], 0)
