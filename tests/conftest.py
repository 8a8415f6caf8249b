"""Shape checks and small data sets for all tests."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import jaxtyping

# Before vosmem is imported: every annotated shape is checked in every test, and only here.
FLOORS = (
    *("ops", "metrics", "networks", "memory", "data", "checkpoints", "visualization", "inputs"),
    *("inference", "evaluation", "segmentation", "export", "training"),
    # Not its events: Gradio takes a checked generator for a plain function.
    *(f"app.{name}" for name in ("drawing", "examples", "project", "results", "session", "uploads", "views", "work")),
)
jaxtyping.install_import_hook([f"vosmem.{floor}" for floor in FLOORS], "beartype.beartype")

import pytest  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from tests.golden_video import video  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept between runs is kept between the tests of a session, and not beyond."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOSMEM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _same_logging() -> Iterator[None]:
    """Commands that run within a test set logging up for themselves, to streams that are closed when it ends."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers).difference(handlers):
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def small_stm():
    """The smallest network that has every part, from random weights."""
    from vosmem.networks import STM

    return STM(backbone="resnet18", key_channels=8, value_channels=16, decoder_channels=8, weights="none").eval()


@pytest.fixture
def small_remn():
    """The same of REMN."""
    from vosmem.networks import REMN

    widths = {"key_channels": 8, "value_channels": 16, "decoder_channels": 8}
    return REMN(backbone="resnet18", **widths, weights="none", value_weights="none").eval()


@pytest.fixture
def small_remn_on_stcn():
    """The same with STCN's decoder."""
    return _on_stcn()


@pytest.fixture
def small_stcn():
    """The same with STCN's decoder and inference settings."""
    from vosmem.checkpoints.published_stcn import PUBLISHED_MODEL
    from vosmem.networks import Conventions

    settings = {key: value for key, value in PUBLISHED_MODEL["conventions"].items() if key != "_target_"}
    return _on_stcn(conventions=Conventions(**settings))


def _on_stcn(**settings):
    from vosmem.networks import REMN

    widths = {
        "key_channels": 8,
        "value_channels": 16,
        "decoder_channels": 8,
        "weights": "none",
        "value_weights": "none",
    }
    return REMN(backbone="resnet18", **widths, decoder="stcn", **settings).eval()


@pytest.fixture(params=["small_stm", "small_remn", "small_remn_on_stcn"])
def small_network(request):
    """Each small network: laws that every one must keep."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Real data and golden outputs that are not part of the repository; tests that need them skip without."""
    folder = Path(os.environ.get("VOSMEM_REFERENCE", ROOT.parent / "shared"))
    if not (folder / "golden").is_dir():
        pytest.skip("reference data not found; set VOSMEM_REFERENCE to its folder")
    return folder


def write_davis(root: Path, names: dict[str, int], size: tuple[int, int] = (48, 80), frames: int = 5) -> Path:
    """A small DAVIS-2017 tree; `names` maps each sequence to its number of objects."""
    for seed, (name, num_objects) in enumerate(names.items()):
        images, labels = video(frames, *size, num_objects, seed)
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / name).mkdir(parents=True)
        for t in range(frames):
            Image.fromarray(images[t]).save(root / "JPEGImages" / "480p" / name / f"{t:05d}.jpg", quality=95)
            mask = Image.fromarray(labels[t])
            mask.putpalette(bytes(range(256)) * 3)
            mask.save(root / "Annotations" / "480p" / name / f"{t:05d}.png")
    for year in ("2016", "2017"):
        (root / "ImageSets" / year).mkdir(parents=True)
        (root / "ImageSets" / year / "val.txt").write_text("\n".join(names) + "\n")
    return root


def write_images(root: Path, count: int = 4, size: tuple[int, int] = (64, 96), num_objects: int = 2) -> Path:
    """A small `images/` + `masks/` folder."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for index in range(count):
        images, labels = video(1, *size, num_objects, index)
        Image.fromarray(images[0]).save(root / "images" / f"{index:03d}.jpg", quality=95)
        Image.fromarray(labels[0]).save(root / "masks" / f"{index:03d}.png")
    return root


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    """Two sequences, of one and of two objects."""
    return write_davis(tmp_path / "davis", {"one": 1, "two": 2})


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four images of two objects."""
    return write_images(tmp_path / "images")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the package's weights."""
    from vosmem.checkpoints import bundled

    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setattr(bundled, "FOLDER", folder)
    return folder
