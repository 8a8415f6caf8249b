"""Image and mask move together; the crop, the affine map and the zoom match their parameters."""

import albumentations as A
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosmem.data.clips.transforms import IMAGENET_MEAN_BYTES, CropAffine, ZoomShortSide

PICTURE = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
INNER = np.s_[4:-4, 4:-4]


def drawn(transform, seed, image, mask=None):
    """Picture and mask of one draw; without a mask, the picture's red channel is one."""
    compose = A.Compose([transform])
    compose.set_random_seed(seed)
    result = compose(image=image, mask=image[..., 0] if mask is None else mask)
    return result["image"], result["mask"]


def blobs(seed, size=(70, 90)):
    """A mask of smooth shapes, and a picture that is white there and has the fill colour elsewhere."""
    noise = np.random.default_rng(seed).standard_normal(size)
    mask = (cv2.GaussianBlur(noise, (0, 0), 6) > 0).astype(np.uint8)
    return np.where(mask[..., None], 255, IMAGENET_MEAN_BYTES).astype(np.uint8), mask


def show_the_same(image, mask):
    """Whether a picture of blobs is white where its mask is, but for pixels whose eight neighbours are not alike."""
    kernel = np.ones((3, 3), np.uint8)
    alike = (cv2.dilate(mask, kernel) == cv2.erode(mask, kernel))[1:-1, 1:-1]
    assert 0 < mask.mean() < 1
    assert alike.mean() > 0.5
    white = image[..., 0] > (255 + IMAGENET_MEAN_BYTES[0]) / 2
    return np.array_equal((mask > 0)[1:-1, 1:-1][alike], white[1:-1, 1:-1][alike])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    height=st.integers(48, 90),
    width=st.integers(48, 90),
    zoom=st.sampled_from([(1.0, 1.0), (0.8, 1.3)]),
)
def test_image_and_mask_move_together(seed, height, width, zoom):
    image, mask = blobs(seed, (height, width))
    affine = CropAffine(48, scale=zoom, rotate=(-40, 40), shear=(-15, 15), translate=(-0.2, 0.2))
    image, mask = drawn(affine, seed, image, mask)
    assert image.shape == (48, 48, 3)
    assert mask.shape == (48, 48)
    assert show_the_same(image, mask)


def test_without_motion_the_result_is_a_crop_of_the_image():
    pieces = np.lib.stride_tricks.sliding_window_view(PICTURE, (64, 64, 3))[:, :, 0]
    for seed in range(5):
        image, mask = drawn(CropAffine(64), seed, PICTURE)
        assert np.array_equal(mask, image[..., 0])
        assert (pieces == image).all(axis=(2, 3, 4)).any()


def test_crops_reach_every_corner():
    ramp = np.stack([*np.meshgrid(np.arange(90), np.arange(70)), np.zeros((70, 90))], axis=2).astype(np.uint8)
    corners = np.array([drawn(CropAffine(64), seed, ramp)[0][0, 0, :2] for seed in range(200)])
    assert corners.min(axis=0).tolist() == [0, 0]
    assert corners.max(axis=0) == pytest.approx([26, 6], abs=1)


@pytest.mark.parametrize("shape", [(64, 64), (70, 64), (64, 90), (50, 64), (64, 50), (51, 90), (20, 21), (300, 400)])
@pytest.mark.parametrize("rotate", [(0.0, 0.0), (-30.0, 30.0)])
def test_the_result_has_the_size_of_the_crop(shape, rotate):
    image, mask = blobs(0, shape)
    for seed in range(3):
        image_out, mask_out = drawn(CropAffine(64, rotate=rotate), seed, image, mask)
        assert image_out.shape == (64, 64, 3)
        assert mask_out.shape == (64, 64)


def test_the_identity_also_crops():
    affine = CropAffine(64)
    assert np.array_equal(affine.apply(PICTURE, np.eye(3), (64, 64)), PICTURE[:64, :64])
    assert np.array_equal(affine.apply_to_mask(PICTURE[..., 0], np.eye(3), (64, 64)), PICTURE[:64, :64, 0])


def test_an_image_of_the_size_of_the_crop_is_unchanged():
    square = PICTURE[:64, :64]
    assert np.array_equal(drawn(CropAffine(64), 0, square)[0], square)


def test_the_crop_is_cut_even_if_the_map_is_not_drawn():
    assert drawn(CropAffine(64, rotate=(90, 90), p=0.0), 0, PICTURE)[0].shape == (64, 64, 3)


@pytest.mark.parametrize("shape", [(64, 64), (70, 90)])
@pytest.mark.parametrize("seed", range(3))
def test_a_right_angle_turns_the_crop_about_its_centre(shape, seed):
    image, mask = blobs(seed, shape)
    labelled, still_mask = drawn(CropAffine(64), seed, image, mask)
    turned, turned_mask = drawn(CropAffine(64, rotate=(90, 90)), seed, image, mask)
    # cv2 places a sample on a grid of 1/32 pixel: that much of a step from black to white
    assert np.abs(turned[INNER].astype(int) - np.rot90(labelled)[INNER]).max() <= 255 / 32 + 1
    assert (turned_mask != np.rot90(still_mask))[INNER].mean() < 0.02
    assert (np.rot90(still_mask, -1) != turned_mask)[INNER].mean() > 0.1


def test_a_shift_is_a_share_of_the_crop():
    square = PICTURE[:64, :64]
    image, mask = drawn(CropAffine(64, translate=(0.25, 0.25)), 0, square)
    assert np.array_equal(image[16:, 16:], square[:48, :48])
    assert np.array_equal(mask[16:, 16:], square[:48, :48, 0])
    for border in (np.s_[:16], np.s_[:, :16]):
        assert (image[border] == IMAGENET_MEAN_BYTES).all()
        assert (mask[border] == 0).all()


def test_a_small_image_is_centred_on_the_fill_colour():
    image, mask = drawn(CropAffine(64), 0, np.full((40, 20, 3), 255, np.uint8))
    expected = np.zeros((64, 64), np.uint8)
    expected[12:52, 22:42] = 255
    assert np.array_equal(mask, expected)
    assert (image[expected > 0] == 255).all()
    assert (image[expected == 0] == (124, 116, 104)).all()


def test_both_axes_zoom_alike():
    mask = np.zeros((64, 64), np.uint8)
    mask[24:40, 24:40] = 1
    for seed in range(5):
        zoomed = drawn(CropAffine(64, scale=(0.5, 2.0)), seed, np.repeat(mask[..., None], 3, axis=2), mask)[1]
        height, width = zoomed.any(axis=1).sum(), zoomed.any(axis=0).sum()
        assert height == width
        assert 8 <= height <= 32
    assert drawn(CropAffine(64, scale=(2.0, 2.0)), 0, PICTURE[:64, :64], mask)[1].sum() == 32 * 32


def test_labels_are_never_mixed():
    ids = np.array([0, 3, 200], np.uint8)
    mask = np.kron(np.random.default_rng(1).choice(ids, (7, 9)), np.ones((10, 10), np.uint8))
    affine = CropAffine(48, scale=(0.7, 1.4), rotate=(-90, 90), shear=(-20, 20))
    for transform in (affine, ZoomShortSide(48, (0.5, 3.0))):
        for seed in range(5):
            assert set(np.unique(drawn(transform, seed, PICTURE, mask)[1])) <= {0, 3, 200}


@pytest.mark.parametrize("shape", [(70, 90), (90, 70), (33, 400), (64, 64)])
@pytest.mark.parametrize("zoom", [1.0, 1.25, 2.0])
def test_the_short_side_becomes_a_multiple_of_the_crop(shape, zoom):
    image, mask = drawn(ZoomShortSide(64, (zoom, zoom)), 0, *blobs(0, shape))
    scale = zoom * 64 / min(shape)
    assert image.shape[:2] == mask.shape == (round(shape[0] * scale), round(shape[1] * scale))
    assert min(mask.shape) == zoom * 64
    assert show_the_same(image, mask)


def test_the_zoom_is_drawn_from_its_range_and_never_below_the_crop():
    sides = [min(drawn(ZoomShortSide(64, (0.5, 1.5)), seed, PICTURE)[1].shape) for seed in range(60)]
    assert min(sides) == 64
    assert 90 < max(sides) <= 96


def test_shrinking_averages():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::4] = 255
    assert np.abs(drawn(ZoomShortSide(64, (1.0, 1.0)), 0, stripes)[0].astype(int) - 255 / 4).max() < 1
