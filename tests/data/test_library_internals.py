"""What vosmem expects of PyTorch and albumentations beyond their documentation. A failure names the change."""

import inspect
import os
import signal
from importlib.metadata import version

import albumentations as A
import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset
from torch.utils.data import dataloader as torch_dataloader

from vosmem.data.clips.transforms import CropAffine
from vosmem.data.sampling.loading import dead_processes


def broken(package: str, seen: str, what: str, used_for: str) -> str:
    """The message of a failure."""
    return f"{package} {version(package)} changed {what}, which vosmem needs {used_for} (last seen right in {seen})"


DEAD = broken("torch", "2.14.1", "the text 'DataLoader worker (pid ...)' of a dead process", "to name the bad sample")
MATRIX = broken("albumentations", "2.0.8", "the parameter `matrix` of Affine", "to crop and warp in one resampling")


class Deadly(Dataset):
    """Ends the loader process that asks for a sample."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


def test_the_error_of_a_dead_loader_process_holds_its_id():
    batches = iter(DataLoader(Deadly(), num_workers=1))
    (process,) = batches._workers
    with pytest.raises(RuntimeError) as caught:
        next(batches)
    assert dead_processes(caught.value) == {process.pid}, DEAD


def test_several_dead_loader_processes_are_named_together():
    """PyTorch writes so where it finds them dead before their signal comes, as on Windows."""
    assert "DataLoader worker (pid(s) {pids_str}) exited" in inspect.getsource(torch_dataloader), DEAD
    assert dead_processes(RuntimeError("DataLoader worker (pid(s) 12, 345) exited unexpectedly")) == {12, 345}
    assert dead_processes(RuntimeError("shapes differ")) == set()


def test_affine_draws_a_matrix_from_source_to_target_pixels():
    move = A.Affine(translate_px={"x": 3, "y": 2}, scale=1.0, rotate=0, shear=0, p=1.0)
    drawn = move.get_params_dependent_on_data({"shape": (20, 30, 3)}, {})
    assert np.allclose(drawn.get("matrix"), [[1, 0, 3], [0, 1, 2], [0, 0, 1]]), MATRIX
    assert drawn.get("output_shape") == (20, 30), MATRIX
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    for name in ("apply", "apply_to_mask"):
        taken = inspect.signature(getattr(A.Affine, name)).parameters
        assert list(taken)[2:4] == ["matrix", "output_shape"], MATRIX
    moved = move.apply(picture, matrix=drawn["matrix"], output_shape=(20, 30))
    assert np.array_equal(moved[2:, 3:], picture[:-2, :-3]), MATRIX


def test_affine_hands_the_matrix_that_a_subclass_returns_to_both_warps():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    crop = A.Compose([CropAffine(16, centred=True, p=0.0)], seed=0)(image=picture, mask=picture[..., 0])
    assert np.array_equal(crop["image"], picture[2:18, 7:23]), MATRIX
    assert np.array_equal(crop["mask"], picture[2:18, 7:23, 0]), MATRIX
