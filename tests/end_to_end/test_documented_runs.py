"""Command blocks of README and docs run unchanged; a program of the same name makes long runs short."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import write_davis, write_images
from tests.documented import PAGES, ROOT, blocks, relative
from tests.end_to_end.test_main_training import write_videos
from tests.end_to_end.tiny import TINY
from tests.golden_video import video
from tests.segmentation.made import write_checkpoint
from vosmem.checkpoints.loading import convert
from vosmem.visualization.video import write_video

pytestmark = pytest.mark.slow

RUN = [block for block in blocks() if block.why_not_run is None]
PYTHON_PAGES = ["README.md", "docs/how-to/segment.md"]
COMMON = ["trainer.max_steps=2", "validate_every_steps=2", "trainer.max_time=null"]
IMAGES = [*TINY, *COMMON, "calibration.teacher=null"]  # its values are wider
VIDEOS = [
    *[override for override in TINY if not override.startswith(("augmentation", "datamodule.sequences"))], *COMMON,
    "augmentation.size=32", "augmentation.min_object_pixels=16", "datamodule.samples_per_epoch=6",
    "curriculum.shares=[0]",
    "curriculum.skips=[1]", "model.backbone=resnet10",  # of the checkpoint in PRETRAINED.ckpt
]  # fmt: skip
# The program that the blocks find: the same with fewer steps of a smaller network on smaller pictures.
SHORTENED = """#!/bin/sh
case "$1 $*" in
    *--help*|*--cfg*|*--info*|*-sc*) exec {program} "$@" ;;
    "train "*experiment=main*) exec {program} "$@" {videos} ;;
    "train "*) exec {program} "$@" {images} ;;
    "data "*gallery*) exec {program} "$@" augmentation.size=32 count=2 scene.height=32 scene.width=48 ;;
    *) exec {program} "$@" ;;
esac
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A folder with all that the blocks name."""
    folder = tmp_path_factory.mktemp("documented")
    write_davis(folder / "DIR", {"one": 1, "two": 2})
    shutil.copytree(folder / "DIR", folder / "DAVIS")
    for name in ("GT_DIR", "PRED_DIR"):
        shutil.copytree(folder / "DIR" / "Annotations" / "480p", folder / name)
    write_images(folder / "MY" / "IMAGES")
    write_videos(folder / "MY" / "VIDEOS")
    frames, labels = video(4, 272, 320, 1, seed=0)
    for name in ("frames", "FRAMES"):
        (folder / name).mkdir()
        for t, frame in enumerate(frames):
            Image.fromarray(frame).save(folder / name / f"{t:05d}.png")
    (folder / "examples").symlink_to(ROOT / "examples")
    write_checkpoint(folder / "last.ckpt")
    for name in ("FILE", "PRETRAINED.ckpt", "RUN.ckpt"):
        shutil.copy(folder / "last.ckpt", folder / name)
    convert(str(folder / "last.ckpt"), folder / "mine.safetensors")
    (folder / "RUN_DIR" / "checkpoints").mkdir(parents=True)
    shutil.copy(folder / "last.ckpt", folder / "RUN_DIR" / "checkpoints")
    for name in ("MY.mp4", "video.mp4"):
        write_video(frames, folder / name, 12)
    for name in ("MASK.png", "first.png", "MASK"):
        Image.fromarray(labels[0]).save(folder / name, format="PNG")
    (folder / "videos.csv").write_text("video,mask\nvideo.mp4,first.png\nframes,first.png\n")
    (folder / "mine" / "sweep").mkdir(parents=True)
    (folder / "mine" / "sweep" / "objects.yaml").write_text(yaml_block("docs/reference/configuration.md"))
    return folder


def yaml_block(page: str) -> str:
    """The first YAML of a page."""
    return (ROOT / page).read_text().split("```yaml\n")[1].split("```")[0]


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """In which `vosmem` is the shortened one."""
    folder, own = tmp_path_factory.mktemp("bin"), Path(sys.executable)
    script = folder / "vosmem"
    program = f"{own.with_name('vosmem')}"
    script.write_text(SHORTENED.format(program=program, images=shlex.join(IMAGES), videos=shlex.join(VIDEOS)))
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{own.parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.where)
def test_a_block_runs(block, world, environment):
    shutil.rmtree(world / "out", ignore_errors=True)
    for line in block.text.splitlines():  # each by itself: several write to the same folder
        done = subprocess.run(
            ["bash", "-c", line], cwd=world, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        shutil.rmtree(world / "out", ignore_errors=True)


def test_most_blocks_are_run():
    assert {block.where.split(":")[0] for block in RUN} >= {
        "README.md", "docs/how-to/segment.md", "docs/explanation/weights.md", "docs/reference/configuration.md"
    }  # fmt: skip


PRELUDE = """from tests.golden_video import video
frames, labels = video(6, 48, 80, 1, seed=0)
frame, mask = frames[0], (7 * (labels[0] > 0)).astype("uint8")
"""


@pytest.mark.parametrize("page", PYTHON_PAGES)
def test_python_runs(page, world, environment):
    """In a process of its own: users pass whole numbers where the checks of tests want fractions."""
    (path,) = [path for path in PAGES if relative(path) == page]
    code = [part.split("```")[0] for part in path.read_text().split("```python\n")[1:]]
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + "\n".join(code)],
        cwd=world, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
