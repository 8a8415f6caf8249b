"""Checkpoints of a run: written atomically, with the previous one kept, and damaged ones skipped."""

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
    """Writes checkpoints atomically, and reads them without running code.

    Writing `last.ckpt` keeps the one before as `previous.ckpt`.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint; on OSError the old file remains."""
        content = io.BytesIO()  # torch's own writer would hide the system's error of a full disk
        torch.save(checkpoint, content)
        path = Path(path)
        with replacing(path) as partial:
            with partial.open("wb") as file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())  # otherwise a power cut may leave an empty file under the new name
            if path.name == LAST and path.exists():
                os.replace(path, path.with_name(PREVIOUS))

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint onto the CPU, see `read_checkpoint`; the other arguments are Lightning's."""
        return read_checkpoint(Path(path))


class RunCheckpoint(ModelCheckpoint):
    """Lightning's `ModelCheckpoint` with file names instead of paths in its state, so that run folders can be moved.

    Lightning itself drops the best score if the folder has another name than in the checkpoint.
    """

    def __init__(self, **settings: Any):  # with `dirpath`
        super().__init__(**settings)

    def state_dict(self) -> dict[str, Any]:
        """The state with file names relative to `dirpath`."""
        return _located(super().state_dict(), "")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a state, with its files in this folder."""
        super().load_state_dict(_located(state_dict, str(self.dirpath)))


def _located(state: dict[str, Any], folder: str) -> dict[str, Any]:
    """The state of a `ModelCheckpoint` with all its files in another folder."""

    def at(path: str) -> str:
        return os.path.join(folder, Path(path).name) if path else path

    paths = {name: at(path) for name, path in state.items() if name.endswith("_path")}
    best = {at(path): score for path, score in state["best_k_models"].items()}
    return {**state, **paths, "best_k_models": best, "dirpath": folder}


class LastCheckpoint(RunCheckpoint):
    """`RunCheckpoint` that also saves when a validation starts, and on an error if the state can be resumed."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self._stepping: int | None = None  # the step of the last weight update that started

    def on_before_optimizer_step(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """Record that the weights change from here to the end of the step."""
        self._stepping = trainer.global_step

    def on_validation_start(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        """Save the state that a resumed training would validate."""
        if trainer.state.fn == TrainerFn.FITTING and not has_saved(self, trainer):
            save_now(self, trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Save, unless weights are partly updated, averaged or not finite, or other processes do not save."""
        together = trainer.world_size == 1 or getattr(exception, "all_processes", False)
        whole = self._stepping != trainer.global_step and not trainer.validating
        if together and whole and all(bool(p.isfinite().all()) for p in pl_module.parameters()):
            super().on_exception(trainer, pl_module, exception)


def last_checkpoint(run_dir: Path) -> Path:
    """The last readable checkpoint of a run; a damaged one is reported on stderr and skipped.

    Raises:
        InputError: the folder has no checkpoint, or all are damaged.
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
            print(f"vosmem: {faults[0]}; continuing from {path.name}, step {step}", file=sys.stderr)
        return path
    raise InputError(f"nothing to resume: {'; '.join(faults)}")
