"""Masks of every kind: the ids that they hold, and the notes on how they were read."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.messages import naming
from vosmem.data.decoding.mask_files import read_mask
from vosmem.data.decoding.palette import ColourIds, davis_palette
from vosmem.errors import InputError
from vosmem.inference.output.mask_writer import write_labels


def blocks(ids, side=8):
    """A row of squares, one for each id."""
    return np.repeat(np.repeat(np.array([ids]), side, axis=0), side, axis=1)


def saved(path, values, mode=None):
    picture = Image.fromarray(values)
    (picture if mode is None else picture.convert(mode)).save(path)
    return path


@pytest.fixture
def png(tmp_path):
    return tmp_path / "00000.png"


KINDS = [("P", "palette"), ("L", "grey"), ("LA", "grey"), ("I;16", "16-bit grey"), ("RGB", "grey as RGB")]


@pytest.mark.parametrize(("mode", "kind"), KINDS)
@pytest.mark.parametrize("ids", [[0], [0, 1], [0, 3, 200], [5, 254], [0, 255], [0, 1, 255]])
def test_ids_stay_what_they_are_on_disk(png, mode, kind, ids):
    if mode == "P":
        write_labels(png, blocks(ids).astype(np.uint8))
    else:
        saved(png, blocks(ids).astype(np.uint8), mode)
    mask = read_mask(png)
    assert np.array_equal(mask.ids, blocks(ids))
    assert mask.ids.dtype == np.uint16
    assert mask.kind == kind or ids == [0]  # black is in every palette


@pytest.mark.parametrize("largest", [256, 300, 65535])
def test_sixteen_bit_ids(png, largest):
    write_labels(png, blocks([0, 7, largest]).astype(np.uint16))
    mask = read_mask(png)
    assert (mask.kind, mask.palette, mask.notes) == ("16-bit grey", None, ())
    assert np.array_equal(mask.ids, blocks([0, 7, largest]))


@pytest.mark.parametrize("values", [[0, 40000], [0, 2]])
def test_32_bit_ids(tmp_path, values):
    path = saved(tmp_path / "mask.tif", blocks(values).astype(np.int32))
    assert np.array_equal(read_mask(path).ids, blocks(values))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (blocks([0, 70000]).astype(np.int32), ("70000", "65535")),
        (blocks([0, -1]).astype(np.int32), ("-1", "65535")),
        (blocks([0, 1]).astype(np.float32), ("floating-point",)),
    ],
)
def test_numbers_that_are_no_ids_are_refused(tmp_path, values, named):
    with pytest.raises(InputError, match=naming("mask.tif", *named, "save ids")):
        read_mask(saved(tmp_path / "mask.tif", values))


def test_a_one_bit_mask_holds_one_object(png):
    mask = read_mask(saved(png, blocks([0, 255]).astype(np.uint8), "1"))
    assert (mask.kind, np.unique(mask.ids).tolist()) == ("one-bit", [0, 1])


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("ids", [[0, 1, 2], [0, 3, 200], [1, 2]])
def test_colours_of_davis_give_their_ids(png, channels, ids):
    colours = davis_palette()[blocks(ids)]
    if channels == 4:
        colours = np.dstack([colours, np.full(colours.shape[:2], 90, np.uint8)])
    mask = read_mask(saved(png, colours))
    assert np.array_equal(mask.ids, blocks(ids))
    assert (mask.kind, mask.palette) == ("DAVIS colours", None)
    assert any("DAVIS palette" in note for note in mask.notes)
    assert ("its transparency is ignored" in mask.notes) == (channels == 4)


RED, GREEN, WHITE, BLACK = (250, 10, 10), (20, 250, 0), (255, 255, 255), (0, 0, 0)


@pytest.mark.parametrize("order", [[BLACK, RED, GREEN, WHITE], [WHITE, BLACK, GREEN, RED]])
def test_other_colours_are_numbered_by_brightness_and_kept(png, order):
    mask = read_mask(saved(png, np.array(order, np.uint8)[blocks(range(4))]))
    assert np.array_equal(mask.ids, np.array([[BLACK, RED, GREEN, WHITE].index(c) for c in order])[blocks(range(4))])
    assert mask.palette[:4].tolist() == [list(c) for c in (BLACK, RED, GREEN, WHITE)]
    assert mask.kind == "other colours"
    assert mask.notes == ("its colours are no ids and were numbered: #fa0a0a is 1, #14fa00 is 2, #ffffff is 3",)


def test_a_colour_keeps_its_id_over_the_masks_of_a_video(tmp_path):
    colours, ids = ColourIds(), []
    for t, row in enumerate([[BLACK, GREEN], [RED, BLACK], [GREEN, RED]]):
        path = saved(tmp_path / f"{t}.png", np.array(row, np.uint8)[blocks([0, 1])])
        ids.append(read_mask(path, colours=colours).ids[0, [0, -1]].tolist())
    assert ids == [[0, 1], [2, 0], [1, 2]]


def test_a_photograph_is_no_mask(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for limit in (50, None):
        with pytest.raises(InputError, match=naming("photo.png", "holds")):
            read_mask(saved(tmp_path / "photo.png", noise), max_objects=limit)


def softened(ids, size=120):
    """Squares whose edges were anti-aliased, and the squares."""
    sharp = np.zeros((size, size), np.uint8)
    for position, value in enumerate(ids):
        sharp[10 + 50 * position : 45 + 50 * position, 20:100] = value
    return cv2.GaussianBlur(sharp, (0, 0), 1.0), sharp


def test_soft_edges_are_refused_above_the_limit_and_named_below(png):
    soft, _ = softened([255, 180])
    saved(png, soft)
    with pytest.raises(InputError, match=naming("00000.png", "objects", "--clean-masks", "--max-objects 5")):
        read_mask(png, max_objects=5)
    assert any("--clean-masks" in note for note in read_mask(png, max_objects=254).notes)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("ids", [[255], [255, 180], [200, 90]])
def test_cleaned_edges_are_those_of_the_objects(png, mode, ids):
    soft, sharp = softened(ids)
    cleaned = read_mask(saved(png, soft, mode), max_objects=5, clean=True)
    assert np.unique(cleaned.ids).tolist() == [0, *sorted(ids)]
    off = cleaned.ids != sharp
    near = cv2.morphologyEx(sharp, cv2.MORPH_GRADIENT, np.ones((9, 9), np.uint8)) > 0
    assert not off[~near].any()
    for value in ids:
        assert abs(int((cleaned.ids == value).sum()) - int((sharp == value).sum())) < 0.1 * (sharp == value).sum()
    assert any(note.startswith("cleaned: ") for note in cleaned.notes)


def test_cleaning_leaves_a_lone_small_object(png):
    dot = np.zeros((20, 20), np.uint8)
    dot[4, 4] = 9
    assert np.array_equal(read_mask(saved(png, dot), clean=True).ids, dot)


def test_more_objects_than_allowed_are_refused(png):
    saved(png, blocks(range(21), side=4).astype(np.uint8))
    assert len(np.unique(read_mask(png, max_objects=20).ids)) == 21
    with pytest.raises(InputError, match=naming("00000.png", "holds 20 objects", "--max-objects 19")):
        read_mask(png, max_objects=19)


@pytest.mark.parametrize("content", [None, b"", b"ids?"])
def test_a_file_that_cannot_be_decoded_is_named(png, content):
    if content is not None:
        png.write_bytes(content)
    with pytest.raises(InputError, match=naming("mask", "00000.png", "cannot be read", "replace")):
        read_mask(png)


@settings(max_examples=60, deadline=None)
@given(
    ids=st.lists(st.integers(0, 65535), min_size=1, max_size=6, unique=True),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    num_colours=st.integers(1, 256),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_is_written_is_what_is_read(tmp_path_factory, ids, shape, num_colours, seed):
    path, rng = tmp_path_factory.getbasetemp() / "any_mask.png", np.random.default_rng(seed)
    picture = rng.choice(ids, shape).astype(np.uint16 if max(ids) > 255 else np.uint8)
    colours = rng.integers(0, 256, (num_colours, 3), dtype=np.uint8)
    write_labels(path, picture, colours)
    mask = read_mask(path)
    assert np.array_equal(mask.ids, picture)
    if picture.dtype == np.uint8:
        assert np.array_equal(mask.palette[:num_colours], colours)
        assert np.array_equal(mask.palette[num_colours:], davis_palette()[num_colours:])
    else:
        assert mask.palette is None


def test_error_for_many_true_ids_does_not_ask_to_save_ids(tmp_path):
    ids = np.repeat(np.arange(64, dtype=np.uint8), 8)[None].repeat(8, 0)
    Image.fromarray(ids).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=naming("m.png", "63 objects", "raise --max-objects if they are objects")):
        read_mask(tmp_path / "m.png")


@pytest.mark.parametrize("colours", [1, 3])
def test_colours_of_16_bits_are_no_ids(png, colours):
    cv2.imwrite(str(png), np.repeat(blocks([0, 5, 300])[..., None], colours, axis=2).astype(np.uint16))
    if colours == 1:
        assert set(np.unique(read_mask(png).ids)) == {0, 5, 300}
        return
    with pytest.raises(InputError, match=naming("00000.png", "16 bits", "save ids")):
        read_mask(png)


def test_a_palette_with_black_elsewhere_than_at_0_is_ambiguous(png):
    picture = Image.fromarray(blocks([2, 0, 2, 1]).astype(np.uint8))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 0])
    picture.save(png)
    with pytest.raises(InputError, match=naming("00000.png", "black at 2", "save ids")):
        read_mask(png)


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_an_id_that_is_a_transparent_colour_is_ambiguous(png, mode):
    picture = Image.fromarray(blocks([0, 1, 2]).astype(np.uint8)).convert(mode)
    picture.save(png, transparency=(1, 1, 1) if mode == "RGB" else 1)
    with pytest.raises(InputError, match=naming("00000.png", "transparent where")):
        read_mask(png)
    picture.save(png, transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert set(np.unique(read_mask(png).ids)) == {0, 1, 2}


@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_that_is_not_lossless_holds_black_and_white_only(tmp_path, lossless):
    shape = blocks([0, 255, 0, 0, 255], side=24).astype(np.uint8)
    Image.fromarray(shape).convert("RGB").save(tmp_path / "m.webp", lossless=lossless, quality=60)
    mask = read_mask(tmp_path / "m.webp")
    assert np.array_equal(mask.ids, shape if lossless else shape // 255)
    Image.fromarray(davis_palette()[shape // 255]).save(tmp_path / "m.webp", lossless=lossless, quality=60)
    if lossless:
        assert np.array_equal(read_mask(tmp_path / "m.webp").ids, shape // 255)
        return
    with pytest.raises(InputError, match=naming("m.webp", "WEBP", "PNG")):
        read_mask(tmp_path / "m.webp")


@pytest.mark.parametrize("method", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
@pytest.mark.parametrize("colours", [[0, 100, 200], [0, 0xFF0000, 0x0000FF]])
def test_soft_edges_are_refused_unless_they_are_cleaned(png, colours, method):
    scene = np.zeros((40, 60), int)
    scene[10:30, 10:25], scene[10:30, 35:50] = colours[1:]
    channels = np.stack([scene >> 16, scene >> 8 & 255, scene & 255], axis=2).astype(np.uint8)
    hard = Image.fromarray(channels if colours[1] > 255 else channels[..., 2])
    hard.resize((240, 160), Image.Resampling.NEAREST).rotate(7).resize((90, 60), method).save(png)
    with pytest.raises(InputError, match=naming("00000.png", "soft edges", "--clean-masks")):
        read_mask(png, max_objects=500)
    assert len(np.unique(read_mask(png, clean=True).ids)) == 3


def test_small_objects_are_no_soft_edges(png):
    values = blocks([0, 200], side=24).astype(np.uint8)
    values[2, 2:6], values[6, 2:6], values[10:12, 2:4], values[14, 30:34] = 3, 4, 5, 250
    mask = read_mask(saved(png, values))
    assert np.array_equal(mask.ids, values) and "--clean-masks" in mask.notes[0] and mask.notes[0].warns
