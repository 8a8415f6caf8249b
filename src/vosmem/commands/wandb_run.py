"""The run of Weights & Biases that a training belongs to; a resumed training continues the same run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from omegaconf import DictConfig, open_dict
from pytorch_lightning.loggers import Logger, WandbLogger

from vosmem.errors import InputError
from vosmem.files import write_text

RUN_FILE = "wandb.json"  # in the folder of the training


def same_wandb_run(loggers: DictConfig, output_dir: Path, resume: bool) -> None:
    """Set the id and the group of every W&B logger to those of the run in a folder if it is resumed, else a new id.

    Raises:
        InputError: the file that names the run is damaged.
    """
    for logger in loggers.values():
        if logger._target_.endswith(".WandbLogger") and logger.get("id") is None:
            kept = _kept(output_dir / RUN_FILE) if resume else {}
            with open_dict(logger):
                logger.update(kept or {"id": uuid4().hex[:8]})


def keep_wandb_run(loggers: Sequence[Logger], output_dir: Path) -> None:
    """Store id and group of the W&B run in the folder of a training, for a resumed training."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            run = {"id": logger.experiment.id, "group": logger.experiment.group}
            write_text(output_dir / RUN_FILE, json.dumps(run) + "\n")


def _kept(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except ValueError as error:
        raise InputError(f"{str(path)!r} is damaged: delete it to log to a new run of W&B") from error
