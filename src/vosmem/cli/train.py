"""`vosmem train`."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from vosmem.cli.hydra_app import run_hydra
from vosmem.cli.process_group import shared_folder
from vosmem.cli.resume import resumed_arguments
from vosmem.cli.sweeps import after_sweep


def run(arguments: list[str]) -> None:
    """Train as the overrides say; `resume=RUN_DIR` goes on with that run, in its folder; `replay=true` only looks."""
    run_hydra("train", _train, shared_folder(resumed_arguments(arguments)), after_sweep)


def _train(config: DictConfig) -> None:
    from vosmem.build.training import replay, train

    if config.replay:
        for batch in replay(config):
            print(f"loss {batch.loss:.6g} of {', '.join(batch.names)}")
            if batch.first_output:
                print(f"  the first output that is not finite is that of {batch.first_output}")
            if batch.first_gradient:
                print(f"  the first gradient that is not finite is that of {batch.first_gradient}")
        return
    report = train(config)
    if not report.files:
        return  # a further process of a distributed run
    console = Console(soft_wrap=True, highlight=False)
    console.print("\nJ&F on the validation sequences, percent:")
    for name, value in report.scores.items():
        console.print(f"  {name:<20} {100 * value:5.1f}")
    console.print()
    for name, path in report.files.items():
        console.print(f"  {name:<20} {Path(path)}")
