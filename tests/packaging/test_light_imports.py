"""What segments a user's video does not import the packages of training, tables and plots."""

import subprocess
import sys

import pytest
from PIL import Image

from tests.checkpoints.made import write_tiny

HEAVY = ("albumentations", "lightning", "matplotlib", "pandas", "pytorch_lightning", "tensorboard", "wandb")
# Runs the console entry of vosmem as if the packages were not installed.
WITHOUT = f"""
import sys

class WithoutHeavy:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)  # importlib.metadata asks finders for distributions

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {HEAVY!r} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [WithoutHeavy(finder) for finder in sys.meta_path]
from vosmem.cli.__main__ import main
main()
"""


def vosmem(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Two frames, the mask of the first, and the weights of a tiny network."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "frames").mkdir()
    for t in range(2):
        Image.new("RGB", (48, 32), (40 * t, 90, 30)).save(folder / "frames" / f"{t}.png")
    mask = Image.new("L", (48, 32))
    mask.paste(1, (8, 8, 24, 24))
    mask.save(folder / "mask.png")
    write_tiny(folder / "tiny.safetensors")
    return folder


def test_two_frames_are_segmented_without_the_packages_of_training(video):
    given = ["frames", "--mask", "mask.png", "--weights", "tiny.safetensors", "--device", "cpu"]
    done = vosmem("segment", *given, "--output", "out", cwd=video)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (video / "out" / "masks").iterdir()) == ["0.png", "1.png"]
    assert (video / "out" / "objects.csv").is_file() and (video / "out" / "report.html").is_file()


def test_doctor_runs_without_the_packages_of_training(video):
    done = vosmem("doctor", "frames", "--mask", "mask.png", cwd=video)
    assert done.returncode == 0, done.stderr
    assert "a run would go through" in done.stdout


def test_importing_vosmem_imports_no_large_package():
    code = f"import vosmem, vosmem.cli.__main__, sys; print(sorted({set(HEAVY) | {'torch'}!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
