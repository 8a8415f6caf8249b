"""Checkpoints of a run: written whole, the one before kept, damaged ones passed over."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.trainer.states import TrainerFn

from vosmem.checkpoints.reading import read_checkpoint
from vosmem.errors import InputError
from vosmem.files import replacing
from vosmem.training.lightning_internals import has_saved, save_now

CHECKPOINTS, LAST, PREVIOUS = "checkpoints", "last.ckpt", "previous.ckpt"


class CheckpointFiles(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all, beside its place, and reads none that would run code.

    When `last.ckpt` is written, the one before stays as `previous.ckpt`.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Write it.

        Args:
            checkpoint: tensors and plain values.
            path: the file; its folder is made.
            storage_options: of no use here.

        Raises:
            OSError: it cannot be written; what was there is still there.
        """
        content = io.BytesIO()  # torch's writer would hide what the system says of a full disk
        torch.save(checkpoint, content)
        path = Path(path)
        with replacing(path) as partial:
            with partial.open("wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())  # else a power cut may leave the new name on an empty file
            if path.name == LAST and path.exists():
                os.replace(path, path.with_name(PREVIOUS))

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read it onto the CPU, never running code that it may hold; arguments as Lightning gives them.

        Raises:
            InputError: as of `read_checkpoint`.
        """
        return read_checkpoint(Path(path))


class RunCheckpoint(ModelCheckpoint):
    """Lightning's `ModelCheckpoint`, whose state holds file names and no folder: a run's folder may be moved.

    Lightning itself forgets the best score so far when the folder has another name than in the checkpoint.

    Args:
        settings: of `ModelCheckpoint`; `dirpath` has to be among them.
    """

    def __init__(self, **settings: Any):
        super().__init__(**settings)

    def state_dict(self) -> dict[str, Any]:
        """State with every file as its name in `dirpath`."""
        return _located(super().state_dict(), "")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a state; its files are those of this folder, also where the state names another."""
        super().load_state_dict(_located(state_dict, str(self.dirpath)))


def _located(state: dict[str, Any], folder: str) -> dict[str, Any]:
    """State of a `ModelCheckpoint` with all its files in a folder."""

    def at(path: str) -> str:
        return os.path.join(folder, Path(path).name) if path else path

    paths = {name: at(path) for name, path in state.items() if name.endswith("_path")}
    best = {at(path): score for path, score in state["best_k_models"].items()}
    return {**state, **paths, "best_k_models": best, "dirpath": folder}


class LastCheckpoint(RunCheckpoint):
    """`RunCheckpoint`, which also saves when a validation starts, and on an error where the state is one to go on from.

    Args:
        settings: of `ModelCheckpoint`.
    """

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self._stepping: int | None = None  # the step whose update was begun last

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Note that the weights change from here to the end of the step."""
        self._stepping = trainer.global_step

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save what a validation of the training would have to be repeated with."""
        if trainer.state.fn == TrainerFn.FITTING and not has_saved(self, trainer):
            save_now(self, trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Save, unless weights are half updated, averaged or not finite, or other processes do not save with this."""
        together = trainer.world_size == 1 or getattr(exception, "all_processes", False)
        whole = self._stepping != trainer.global_step and not trainer.validating
        if together and whole and all(bool(p.isfinite().all()) for p in pl_module.parameters()):
            super().on_exception(trainer, pl_module, exception)


def last_checkpoint(run_dir: Path) -> Path:
    """The last whole checkpoint of a run; a damaged one is told on stderr and passed over.

    Args:
        run_dir: folder of the run.

    Raises:
        InputError: the folder holds none, or all are damaged.
    """
    last = run_dir / CHECKPOINTS / LAST
    found = [path for path in (last, last.with_name(PREVIOUS)) if path.is_file()]
    if not found:
        raise InputError(
            f"nothing to resume: {str(last)!r} does not exist; give the folder of a run that saved a checkpoint"
        )
    faults = []
    for path in found:
        try:
            step = read_checkpoint(path)["global_step"]
        except (InputError, KeyError) as error:
            faults.append(str(error))
            continue
        if faults:
            print(f"vosmem: {faults[0]}; going on from {path.name}, step {step}", file=sys.stderr)
        return path
    raise InputError(f"nothing to resume: {'; '.join(faults)}")
