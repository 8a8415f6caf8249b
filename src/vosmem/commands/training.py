"""`vosmem train` from its configuration."""

import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import wandb
import yaml
from omegaconf import DictConfig, OmegaConf, open_dict
from pytorch_lightning.loggers import Logger, WandbLogger

from vosmem.checkpoints.loading import load_network
from vosmem.checkpoints.models import without_weights
from vosmem.checkpoints.reading import load_weights
from vosmem.commands.common import make, pick_device, resolved
from vosmem.commands.wandb_run import keep_wandb_run, same_wandb_run
from vosmem.data.sampling.clip_data import ClipData
from vosmem.errors import InputError
from vosmem.inference.engine.out_of_memory import advice_on_memory
from vosmem.inference.engine.precision import has_fast_bfloat16, has_fast_float16
from vosmem.networks.network import MemoryNetwork
from vosmem.startup import timed
from vosmem.training.calibration import CalibrateNetwork, Calibration, calibrate
from vosmem.training.callbacks import KeepConfig, MoveToDevice, TimeFirstBatch
from vosmem.training.guards import ReplayedBatch, replay_step
from vosmem.training.lightning_internals import set_accumulation
from vosmem.training.modules import PretrainModule
from vosmem.training.run import TrainingReport, finished_run, hush_lightning, run_training
from vosmem.training.saving import CheckpointFiles, last_checkpoint

MEMORY_ADVICE = (
    "lower datamodule.device_batch_size (a step stays the same), set phase.recompute=true, "
    "trainer.precision=bf16-mixed or a "
    "smaller augmentation.size"
)
REPLAYED = ("track_samples", "ema")  # callbacks that a step's result depends on


def train(config: DictConfig) -> TrainingReport:
    """Everything `vosmem train` does, as a list.

    Raises:
        InputError: the data, the weights or the run to resume cannot be used, the training cannot go on, or memory runs
            out.
    """
    output_dir = Path(config.paths.output_dir)
    checkpoint, plain = None, resolved(config)
    if config.resume:
        with timed("reading the checkpoint"):
            checkpoint = last_checkpoint(output_dir)
            limits = plain["trainer"]["max_steps"], plain["trainer"]["max_time"]
            done = finished_run(checkpoint, output_dir, *limits) if config.fit else None
        if done is not None:
            return done
    data, module = _data_and_module(config)
    if config.initial_weights is not None and checkpoint is None:
        with timed("loading weights"):
            state = load_network(config.initial_weights).state_dict()
            load_weights(module.network, state, "initial_weights", module.network.additions)
    trainer = make_trainer(config, plain, data)
    if trainer.is_global_zero:
        output_dir.mkdir(parents=True, exist_ok=True)
        (output_dir / "config.yaml").write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        keep_wandb_run(trainer.loggers, output_dir)
    try:
        with advice_on_memory(MEMORY_ADVICE):
            return run_training(
                trainer,
                module,
                data,
                output_dir,
                checkpoint=checkpoint,
                fit=config.fit,
                check_data=config.check_data or ("none" if config.resume else "headers"),
                score_untrained=config.score_untrained,
            )
    finally:  # the next job of a sweep makes its own
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger) and trainer.is_global_zero:
                logger.experiment.finish()


def replay(config: DictConfig) -> list[ReplayedBatch]:
    """Do the step over that follows a run's last checkpoint; the run stays as it is.

    Raises:
        InputError: no run is named, or its data or checkpoint cannot be used.
    """
    if not config.resume:
        raise InputError("replay=true does a step of a run over: name the run with resume=RUN_DIR")
    checkpoint = last_checkpoint(Path(config.paths.output_dir))
    data, module = _data_and_module(config)
    with open_dict(config):
        config.callbacks = {name: callback for name, callback in config.callbacks.items() if name in REPLAYED}
        config.callbacks.replay = {"_target_": "vosmem.training.guards.Replay"}
        config.logger = {}
        config.trainer.update(enable_checkpointing=False, enable_progress_bar=False)
    trainer = make_trainer(config, {}, data)
    with advice_on_memory(MEMORY_ADVICE):
        return replay_step(trainer, module, data, checkpoint)


def _data_and_module(config: DictConfig) -> tuple[ClipData, PretrainModule]:
    hush_lightning()
    pl.seed_everything(config.seed, verbose=False)
    with timed("reading the lists of data"):
        data = make(config.datamodule)
    with timed("building the network"):
        return data, make(config.phase, **_network_to_fill(config))


def _network_to_fill(config: DictConfig) -> dict[str, DictConfig]:
    """In place of the stage's own network, where other weights come into it: nothing is fetched for its trunks."""
    if config.initial_weights is None and not config.resume:
        return {}
    return {"network": OmegaConf.create(without_weights(config.model))}


def calibrated_network(config: DictConfig) -> MemoryNetwork:
    """The network that `vosmem train` would start with: calibrated on its data, and not trained.

    Raises:
        InputError: the data cannot be used.
    """
    torch.manual_seed(config.seed)
    network: MemoryNetwork = make(config.model)
    calibration = make_calibration(config)
    if calibration.batches:
        calibrate(network, islice(make(config.datamodule).calibration_dataloader(), calibration.batches), calibration)
    return network.eval()


def make_calibration(config: DictConfig) -> Calibration:
    """What is set from data before the first step; nothing where the network starts from the weights of another run."""
    chosen = config.calibration
    batches = 0 if config.initial_weights is not None else chosen.batches
    teacher = load_network(chosen.teacher) if batches and chosen.teacher is not None else None
    return Calibration(batches, key_std=chosen.key_std, teacher=teacher)


def make_trainer(config: DictConfig, plain: dict[str, Any], data: ClipData) -> pl.Trainer:
    """A trainer whose accumulation keeps the batch of a step the same however many devices share it."""
    check_devices(config.trainer.accelerator, config.trainer.devices)
    callbacks = [make(callback) for callback in config.callbacks.values()]
    if config.calibration.batches and not config.resume:
        callbacks.insert(0, CalibrateNetwork(make_calibration(config)))  # before a callback copies the weights
    callbacks.insert(0, MoveToDevice())
    same_wandb_run(config.logger, Path(config.paths.output_dir), bool(config.resume))
    loggers = [_reachable(make(logger), logger) for logger in config.logger.values()]
    trainer: pl.Trainer = make(
        config.trainer,
        precision=trainer_precision(config.trainer.precision, config.trainer.accelerator),
        callbacks=[*callbacks, KeepConfig(plain), TimeFirstBatch()],
        plugins=[CheckpointFiles()],
        logger=loggers,
    )
    accumulation = data.accumulation(trainer.world_size)
    set_accumulation(trainer, accumulation, config.validate_every_steps * accumulation)
    if trainer.is_global_zero:
        for logger in loggers:
            logger.log_hyperparams(plain)
    return trainer


def _reachable(logger: Logger, config: DictConfig) -> Logger:
    """The logger, or in place of a W&B that does not answer the same offline: a training does not wait for it."""
    if not isinstance(logger, WandbLogger) or config.get("offline"):
        return logger
    try:
        _ = logger.experiment
    except wandb.errors.Error as error:
        reason = str(error).splitlines()[0]
        print(f"vosmem: W&B does not answer ({reason}); logging offline, for `wandb sync`", file=sys.stderr)
        wandb.teardown()  # a session that has begun would not hear of the change
        return make(config, offline=True)
    return logger


def trainer_precision(precision: str, accelerator: str) -> str:
    """Lightning's name for a precision; `auto` is mixed bfloat16 or float16 if the device is fast in it."""
    if precision != "auto":
        return precision
    device = torch.device("cpu") if accelerator == "cpu" else pick_device("auto")
    if has_fast_bfloat16(device):
        return "bf16-mixed"
    return "16-mixed" if has_fast_float16(device) else "32-true"


def check_devices(accelerator: str, devices: Any) -> None:
    """Raise InputError if a trainer asks for more GPUs than this process sees."""
    present = torch.cuda.device_count() or int(torch.backends.mps.is_available())
    if accelerator not in ("gpu", "cuda") or not isinstance(devices, int | str):
        return
    if not present:
        raise InputError("this process sees no GPU, which the trainer asks for: use trainer=cpu, or trainer=ddp_cpu")
    if isinstance(devices, int) and devices > present:
        raise InputError(
            f"trainer.devices={devices} is more than the GPUs that this process sees ({present}): lower it, or let "
            "every process see all GPUs of its machine (SLURM: --gpus-per-node, not --gpus-per-task)"
        )
