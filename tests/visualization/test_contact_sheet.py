"""Contact sheets hold the requested images in order."""

import numpy as np
import pytest
from PIL import Image

from tests.data.clips.test_image_clips import make_augmentation
from tests.data.rendering.test_rendered_videos import SCENE, Blocks
from vosmem.data.rendering.rendered_videos import RenderedVideos
from vosmem.visualization.contact_sheet import (
    CAPTION,
    GAP,
    SheetRow,
    clip_rows,
    contact_sheet,
    image_rows,
    rendered_rows,
)


def test_images_are_shown_plain_and_tinted_each_once():
    rows = list(image_rows(Blocks(6), count=5, seed=0, columns=2))
    assert [len(row.pictures) for row in rows] == [4, 4, 2]
    names = "   ".join(row.caption for row in rows)
    assert len({name for name in (f"block {i}" for i in range(6)) if name in names}) == 5
    plain, tinted = rows[0].pictures[:2]
    changed = (plain != tinted).any(axis=2)
    assert changed[15:35, 20:40].all() and not changed[:9].any()


def test_clips_are_shown_with_their_image_frames_and_masks():
    rows = list(clip_rows(Blocks(4), make_augmentation(), count=2, seed=0))
    assert [len(row.pictures) for row in rows] == [7, 7]
    assert all("1 objects" in row.caption for row in rows)


def test_videos_are_shown_from_first_to_last_frame():
    videos = RenderedVideos(Blocks(), SCENE, 2, seed=0)
    rows = list(rendered_rows(videos, 4))
    assert [len(row.pictures) for row in rows] == [4, 4]
    assert np.array_equal(rows[1].pictures[3], videos[1].render(59)[0])
    assert "2 objects, 60 frames" in rows[0].caption


@pytest.mark.parametrize("height", [10, 40])
def test_a_sheet_holds_every_image_at_its_height(tmp_path, height):
    red, blue = (np.full((20, 30, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    path = contact_sheet([SheetRow("one", [red, blue]), SheetRow("two", [blue])], tmp_path / "new" / "s.png", height)
    sheet = np.asarray(Image.open(path))
    width = round(30 * height / 20)
    assert sheet.shape == (2 * (CAPTION + height + GAP), 2 * (width + GAP), 3)
    assert (sheet[CAPTION : CAPTION + height, :width] == (255, 0, 0)).all()
    assert (sheet[CAPTION : CAPTION + height, width + GAP : 2 * width + GAP] == (0, 0, 255)).all()
    lower = 2 * CAPTION + height + GAP
    assert (sheet[lower : lower + height, :width] == (0, 0, 255)).all()
    assert (sheet[lower : lower + height, width:] == 255).all()
