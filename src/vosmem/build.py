"""Configuration to objects: the only place that knows Hydra and OmegaConf."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from vosmem.checkpoints import load_reference_stm, load_weights, read_checkpoint
from vosmem.data.datamodules import ClipData
from vosmem.data.rendered import RenderedVideos
from vosmem.data.stills import StillSource
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.evaluation.report import results, write_results
from vosmem.evaluation.run import Method, SequenceRun, evaluate_sequences
from vosmem.inference.export import write_davis
from vosmem.inference.precision import has_fast_bfloat16
from vosmem.inference.writer import write_labels
from vosmem.networks.stm import STM
from vosmem.training.calibration import Calibration
from vosmem.training.callbacks import KeepConfig
from vosmem.training.modules import PretrainModule
from vosmem.training.run import TrainingReport, hush_lightning, run_training
from vosmem.visualization.contact_sheet import clip_rows, contact_sheet, rendered_rows, still_rows


def make(config: DictConfig, **extra: Any) -> Any:
    """Instantiate a config; an InputError of the constructor comes out as itself."""
    try:
        return instantiate(config, **extra)
    except InstantiationException as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, InputError):
                raise cause from error
            cause = cause.__cause__
        raise


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
    module: PretrainModule = make(config.stage)
    if config.initial_weights is not None:
        load_weights(module.network, read_network_state(config.initial_weights), "initial_weights")
    trainer = make_trainer(config, plain, data)
    if trainer.is_global_zero:
        output_dir.mkdir(parents=True, exist_ok=True)
        (output_dir / "config.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
    try:
        return run_training(
            trainer, module, data, output_dir, checkpoint=checkpoint, calibration=make_calibration(config)
        )
    finally:
        if torch.distributed.is_initialized():  # the next job of a sweep makes its own group
            torch.distributed.destroy_process_group()


def make_calibration(config: DictConfig) -> Calibration:
    """What is set from data before the first step: batch-norm statistics only where the trunks start from nothing."""
    chosen = config.calibration
    return Calibration(
        0 if config.initial_weights is not None else chosen.batches,
        batch_norm=config.model.weights == "none",
        key_std=chosen.key_std,
        discriminant=chosen.discriminant,
        mask_value=config.model.init == "mask_lane",
    )


def resolved(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain values, every interpolation replaced and no mandatory value missing."""
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}


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


def evaluate(
    config: DictConfig, on_sequence: Callable[[str, SequenceRun], None]
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Everything `vosmem evaluate` does: segment, write, score.

    Returns:
        the results, and what lies where.

    Raises:
        InputError: the checkpoint or the data set cannot be used.
    """
    output_dir = Path(config.paths.output_dir)
    sequences = make(config.dataset)
    device = pick_device(config.device)
    if config.precision not in ("fp32", "bf16"):
        raise InputError(f"precision={config.precision!r} is unknown: use fp32 or bf16")
    make_method = _method(config, device)
    masks = output_dir / "masks"

    def write(sequence: str, frame: str, ids: Any) -> None:
        write_labels(masks / sequence / f"{frame}.png", ids)

    with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        runs = evaluate_sequences(sequences, make_method, device, write if config.save_masks else None, on_sequence)
    about = {
        "checkpoint": config.checkpoint,
        "method": OmegaConf.to_container(config.method, resolve=True),
        "dataset": OmegaConf.to_container(config.dataset, resolve=True),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "precision": config.precision,
        "scorer": "builtin",
    }
    outcome = results(runs, about)
    files = {"results": output_dir / "results.json"}
    files["table"] = write_results(outcome, files["results"])
    if config.save_masks:
        files["masks"] = masks
    return outcome, files


def _method(config: DictConfig, device: torch.device) -> Callable[[], Method]:
    """Makes a fresh method for each sequence; the network is loaded once."""
    factory = make(config.method)
    if config.method._target_ != "vosmem.inference.Propagator":
        return factory
    if config.checkpoint is None:
        raise InputError("no checkpoint is given: set checkpoint=FILE, or method=copy_first_mask for the floor")
    network = load_network(config.checkpoint).to(device).eval()
    return lambda: factory(network)


def gallery(config: DictConfig) -> Path:
    """What `vosmem data gallery` does; returns where the sheet lies.

    Raises:
        InputError: the stills cannot be used, or `show` is unknown.
    """
    source: StillSource = make(config.stills)
    if config.show == "stills":
        rows = still_rows(source, config.count, config.seed)
    elif config.show == "clips":
        rows = clip_rows(source, make(config.synthesis), config.count, config.seed)
    elif config.show == "rendered":
        videos = RenderedVideos(source, make(config.scene), config.count, config.seed)
        rows = rendered_rows(videos, config.frames)
    else:
        raise InputError(f"show={config.show!r} is unknown: use stills, clips or rendered")
    return contact_sheet(list(rows), Path(config.paths.output_dir) / "gallery.png", config.height)


def render(config: DictConfig) -> Iterator[VideoSequence]:
    """What `vosmem data render` does, video by video.

    Raises:
        InputError: the stills cannot be used, or the output folder holds a data set.
    """
    videos = RenderedVideos(make(config.stills), make(config.scene), config.count, config.seed)
    return write_davis(videos, Path(config.output), config.image_set, config.quality)


def load_network(path: str | os.PathLike[str]) -> STM:
    """The network of a training run's checkpoint, or of the published STM weights.

    Raises:
        InputError: the file cannot be read, or is neither.
    """
    content = read_checkpoint(Path(path))
    if "config" not in content or "state_dict" not in content:
        return load_reference_stm(content)
    network: STM = make(OmegaConf.create({**content["config"]["model"], "weights": "none"}))
    load_weights(network, _network_part(content["state_dict"]), f"checkpoint {str(path)!r}")
    return network


def read_network_state(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """The network's state dict in a training run's checkpoint, or in the published STM weights.

    Raises:
        InputError: the file cannot be read, or is neither.
    """
    content = read_checkpoint(Path(path))
    if "state_dict" not in content:
        return load_reference_stm(content).state_dict()
    return _network_part(content["state_dict"])


def _network_part(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    prefix = "network."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def pick_device(name: str) -> torch.device:
    """`auto` takes CUDA, then MPS, then the CPU.

    Raises:
        InputError: the device is unknown or absent.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, here in present.items() if here)
    if not present.get(name):
        raise InputError(
            f"device {name!r} is not on this machine: use auto, {', '.join(k for k, here in present.items() if here)}"
        )
    return torch.device(name)
