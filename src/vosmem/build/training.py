"""`vosmem train` from its configuration."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import WandbLogger

from vosmem.build.common import make, pick_device, resolved
from vosmem.checkpoints.loading import load_network
from vosmem.checkpoints.models import without_weights
from vosmem.checkpoints.reading import load_weights
from vosmem.data.datamodules import ClipData
from vosmem.errors import InputError
from vosmem.inference.precision import has_fast_bfloat16
from vosmem.networks.network import MemoryNetwork
from vosmem.training.calibration import Calibration, calibrate
from vosmem.training.callbacks import KeepConfig
from vosmem.training.modules import PretrainModule
from vosmem.training.run import TrainingReport, hush_lightning, run_training


def train(config: DictConfig) -> TrainingReport:
    """Everything `vosmem train` does, as a list.

    Raises:
        InputError: the data, the weights or the run to resume cannot be used.
    """
    output_dir = Path(config.paths.output_dir)
    checkpoint = last_checkpoint(output_dir) if config.resume else None
    plain = resolved(config)

    hush_lightning()
    pl.seed_everything(config.seed, verbose=False)
    data: ClipData = make(config.data)
    module: PretrainModule = make(config.stage, **_network_to_fill(config))
    if config.initial_weights is not None:
        state = load_network(config.initial_weights).state_dict()
        load_weights(module.network, state, "initial_weights", module.network.additions)
    trainer = make_trainer(config, plain, data)
    if trainer.is_global_zero:
        output_dir.mkdir(parents=True, exist_ok=True)
        (output_dir / "config.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
    try:
        calibration = make_calibration(config)
        return run_training(
            trainer, module, data, output_dir, checkpoint=checkpoint, calibration=calibration, fit=config.fit
        )
    finally:  # the next job of a sweep makes its own
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger) and trainer.is_global_zero:
                logger.experiment.finish()


def _network_to_fill(config: DictConfig) -> dict[str, DictConfig]:
    """In place of the stage's own network, where other weights come into it: nothing is fetched for its trunks."""
    if config.initial_weights is None and not config.resume:
        return {}
    return {"network": OmegaConf.create(without_weights(config.model))}


def calibrated_network(config: DictConfig) -> MemoryNetwork:
    """The network that a training would start with: calibrated on its data, and not trained. A look at no cost.

    Args:
        config: of `vosmem train`.

    Raises:
        InputError: the data cannot be used.
    """
    torch.manual_seed(config.seed)
    network: MemoryNetwork = make(config.model)
    calibration = make_calibration(config)
    if calibration.batches:
        calibrate(network, islice(make(config.data).train_dataloader(), calibration.batches), calibration)
    return network.eval()


def make_calibration(config: DictConfig) -> Calibration:
    """What is set from data before the first step: batch-norm statistics only where the trunks start from nothing."""
    chosen = config.calibration
    return Calibration(
        0 if config.initial_weights is not None else chosen.batches,
        batch_norm=config.model.weights == "none",
        key_std=chosen.key_std,
        discriminant=chosen.discriminant,
        mask_value=config.model.get("init") == "mask_lane",
    )


def make_trainer(config: DictConfig, plain: dict[str, Any], data: ClipData) -> pl.Trainer:
    """A trainer whose accumulation keeps the batch of a step the same however many devices share it."""
    callbacks = [make(callback) for callback in config.callbacks.values()]
    loggers = [make(logger) for logger in config.logger.values()]
    trainer: pl.Trainer = make(
        config.trainer,
        precision=trainer_precision(config.trainer.precision, config.trainer.accelerator),
        callbacks=[*callbacks, KeepConfig(plain)],
        logger=loggers,
    )
    trainer.accumulate_grad_batches = data.accumulation(trainer.world_size)
    trainer.val_check_interval = config.validate_every_steps * trainer.accumulate_grad_batches
    if trainer.is_global_zero:
        for logger in loggers:
            logger.log_hyperparams(plain)
    return trainer


def trainer_precision(precision: str, accelerator: str) -> str:
    """Lightning's name for a precision; `auto` is bfloat16 (mixed) where the device computes in it natively."""
    if precision != "auto":
        return precision
    device = torch.device("cpu") if accelerator == "cpu" else pick_device("auto")
    return "bf16-mixed" if has_fast_bfloat16(device) else "32-true"


def last_checkpoint(run_dir: Path) -> Path:
    """The last checkpoint of a run.

    Raises:
        InputError: the folder holds none.
    """
    path = run_dir / "checkpoints" / "last.ckpt"
    if not path.is_file():
        raise InputError(
            f"nothing to resume: {str(path)!r} does not exist; give the folder of a run that saved a checkpoint"
        )
    return path
