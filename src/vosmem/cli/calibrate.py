"""`vosmem calibrate`."""

from omegaconf import DictConfig

from vosmem.cli.hydra_app import run_hydra
from vosmem.cli.printing import plain_console


def run(arguments: list[str]) -> None:
    """Calibrate the threshold of an adaptive memory for a network."""
    run_hydra("calibrate", _calibrate, arguments)


def _calibrate(config: DictConfig) -> None:
    from vosmem.commands.calibration import calibrate_threshold

    console = plain_console()
    outcome, path = calibrate_threshold(config, lambda name, pairs: console.print(f"{name}: {pairs} pairs of frames"))
    spread = ", ".join(f"{float(share):.0%} {value}" for share, value in outcome["quantiles"].items())
    console.print(f"variation of frames {outcome['interval']} apart: {spread}")
    console.print(f"memory=adaptive memory.threshold={outcome['threshold']}")
    console.print(f"  {path}")
