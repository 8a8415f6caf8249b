"""`vosmem train`."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from vosmem.cli.hydra_app import run_hydra
from vosmem.cli.printing import plain_console
from vosmem.cli.process_group import shared_folder
from vosmem.cli.resume import resumed_arguments
from vosmem.cli.sweeps import after_sweep
from vosmem.errors import InputError


def run(arguments: list[str]) -> None:
    """Train; `resume=RUN_DIR` continues that run in its folder, and `replay=true` repeats one step without saving."""
    run_hydra("train", _train, shared_folder(resumed_arguments("train", arguments)), after_sweep)


def _check_used(config: DictConfig) -> None:
    """Refuse typed images that the data module ignores: the training would seem to use them."""
    data = OmegaConf.to_yaml(config.datamodule)
    for name in ("train_videos", "eval_set"):
        if f"${{{name}}}" in data:
            data += OmegaConf.to_yaml(config[name])
    if "${train_images}" in data or "${paths.images}" in data:
        return
    choices, overrides = HydraConfig.get().runtime.choices, HydraConfig.get().overrides.task
    typed = [override for override in overrides if override.startswith(("train_images=", "paths.images="))]
    if typed:
        raise InputError(
            f"{typed[-1]} is ignored by datamodule={choices['datamodule']}, which has its own images or videos: "
            "add datamodule=images, or leave it out"
        )


def _train(config: DictConfig) -> None:
    from vosmem.commands.training import replay, train

    _check_used(config)
    if config.replay:
        for batch in replay(config):
            print(f"loss {batch.loss:.6g} of {', '.join(batch.names)}")
            if batch.first_output:
                print(f"  the first output that is not finite is of {batch.first_output}")
            if batch.first_gradient:
                print(f"  the first gradient that is not finite is of {batch.first_gradient}")
        return
    report = train(config)
    if not report.files:
        return  # a further process of a distributed run
    console = plain_console()
    console.print("\nJ&F on the validation sequences, percent:")
    for name, value in report.scores.items():
        console.print(f"  {name:<20} {100 * value:5.1f}")
    console.print()
    for name, path in report.files.items():
        console.print(f"  {name:<20} {Path(path)}")
    if HydraConfig.get().mode == RunMode.RUN:  # a sweep ends with its table
        for line in _next_steps(report.files, HydraConfig.get().runtime.choices["datamodule"]):
            console.print(line)


def _next_steps(files: dict[str, Path], data: str) -> list[str]:
    """Files to look at and commands to run next; more of them after a first training on embedded data."""
    described = {
        "overlay strip": "held-out clips: ground truth next to the prediction",
        "curves": "loss and J&F by step",
    }
    lines = ["", "Look at:", *(f"  {files[name]}  ({what})" for name, what in described.items() if name in files)]
    lines += ["Next:", f"  vosmem segment MY.mp4 --mask MASK.png --weights {files['checkpoint']} --output out"]
    if data == "embedded":
        lines += [
            "  vosmem train experiment=pretrain_embedded datamodule=images train_images=folder paths.images=MY/IMAGES",
            "  vosmem train experiment=pretrain_embedded sweep=first_minutes",
        ]
    return lines
