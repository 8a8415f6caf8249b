"""Checkpoints are whole, the one before stays, and damaged ones are passed over."""

import warnings

import pytest
import torch

from vosmem.errors import InputError
from vosmem.training.saving import CheckpointFiles, RunCheckpoint, last_checkpoint


def saved(folder, *steps: int):
    """The folder of a run that saved at these steps."""
    for step in steps:
        CheckpointFiles().save_checkpoint({"global_step": step, "w": torch.ones(99)}, folder / "checkpoints/last.ckpt")
    return folder / "checkpoints"


def step_of(path) -> int:
    return CheckpointFiles().load_checkpoint(path)["global_step"]


def test_the_previous_checkpoint_is_kept(tmp_path):
    folder = saved(tmp_path, 1, 2, 3)
    assert {path.name: step_of(path) for path in folder.iterdir()} == {"last.ckpt": 3, "previous.ckpt": 2}
    CheckpointFiles().save_checkpoint({"global_step": 3}, folder / "best.ckpt")
    CheckpointFiles().save_checkpoint({"global_step": 4}, folder / "best.ckpt")
    assert step_of(folder / "previous.ckpt") == 2, "it belongs to last.ckpt only"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_checkpoint(tmp_path, monkeypatch, call):
    folder = saved(tmp_path, 1, 2)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"os.{call}", full)
    with pytest.raises(OSError, match="No space"):
        saved(tmp_path, 3)
    assert {path.name: step_of(path) for path in folder.iterdir()} == {"last.ckpt": 2, "previous.ckpt": 1}


def flip(path):
    """Change one bit of a tensor, which torch itself does not notice."""
    content = bytearray(path.read_bytes())
    content[content.index(torch.ones(9).numpy().tobytes())] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "harm",
    [flip, lambda path: path.write_bytes(path.read_bytes()[:-500]), lambda path: path.write_bytes(b"")],
    ids=["one bit", "cut", "empty"],
)
def test_a_damaged_checkpoint_is_skipped_with_one_line(tmp_path, capsys, harm):
    folder = saved(tmp_path, 1, 2)
    assert last_checkpoint(tmp_path) == folder / "last.ckpt" and capsys.readouterr().err == ""
    harm(folder / "last.ckpt")
    assert last_checkpoint(tmp_path) == folder / "previous.ckpt"
    reported = capsys.readouterr().err
    assert reported.count("\n") == 1 and reported.endswith("; continuing from previous.ckpt, step 1\n")
    harm(folder / "previous.ckpt")
    with pytest.raises(InputError, match=r"\Anothing to resume: .*last\.ckpt.*; .*previous\.ckpt.*\Z"):
        last_checkpoint(tmp_path)


def test_killed_between_the_two_renames(tmp_path):
    folder = saved(tmp_path, 1, 2)
    (folder / "last.ckpt").unlink()
    assert last_checkpoint(tmp_path) == folder / "previous.ckpt"
    (folder / "previous.ckpt").unlink()
    with pytest.raises(InputError, match="give the folder of a run that saved a checkpoint"):
        last_checkpoint(tmp_path)


def test_a_moved_run_keeps_its_best_score(tmp_path):
    one, other = (RunCheckpoint(dirpath=tmp_path / name, filename="best", monitor="score") for name in ("a", "b"))
    one.best_model_score, one.best_model_path = torch.tensor(0.7), str(tmp_path / "a" / "best.ckpt")
    one.best_k_models, one.kth_best_model_path = {one.best_model_path: one.best_model_score}, one.best_model_path
    state = one.state_dict()
    assert str(tmp_path) not in repr(state)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other.load_state_dict(state)
    assert other.best_model_score == 0.7
    best = str(tmp_path / "b" / "best.ckpt")
    assert other.best_model_path == other.kth_best_model_path == best and list(other.best_k_models) == [best]
