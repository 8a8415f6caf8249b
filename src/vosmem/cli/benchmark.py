"""`vosmem benchmark`."""

from typing import Any

from omegaconf import DictConfig

from vosmem.cli.hydra_app import run_hydra
from vosmem.cli.printing import plain_console


def run(arguments: list[str]) -> None:
    """Time a frame of the engine."""
    run_hydra("benchmark", _benchmark, arguments)


def _benchmark(config: DictConfig) -> None:
    from vosmem.commands.benchmark import benchmark

    console = plain_console()

    def progress(row: dict[str, Any]) -> None:
        case = f"K={row['K']:<3} T={row['T']:<3} {row['width']}x{row['height']}  {row['implementation']:<14}"
        time = f"{row['median ms']:8.1f} ms  {row['times the floor']:5.2f} x the floor"
        console.print(f"{case}{time}  peak {row['peak MB']:6.0f} MB")

    for name, path in benchmark(config, progress).items():
        console.print(f"  {name:<5} {path}")
