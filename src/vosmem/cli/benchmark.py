"""`vosmem benchmark`."""

from omegaconf import DictConfig

from vosmem.cli.hydra_app import run_hydra
from vosmem.cli.printing import plain_console


def run(arguments: list[str]) -> None:
    """Measure as the overrides say; `--worker` makes this process one of those that take turns."""
    if arguments == ["--worker"]:
        from vosmem.commands.benchmark import work

        work()
    else:
        run_hydra("benchmark", _benchmark, arguments)


def _benchmark(config: DictConfig) -> None:
    from vosmem.benchmark.compare import Row
    from vosmem.commands.benchmark import benchmark

    console = plain_console()

    def progress(row: Row) -> None:
        case, floor = row.case, row.floor_ms
        words = [
            f"K={case.num_objects:<3} T={case.num_frames:<3} {case.width}x{case.height}  {row.implementation:<14}",
            f"{row.median_ms:8.1f} ms  {row.ratio:5.2f} x  peak {row.peak_mb:6.0f} MB",
            "" if floor is None else f"{row.median_ms / floor:5.2f} x the floor",
            "" if row.error is None else f"error {row.error:.1e}, flips {row.flips:.1e}",
        ]
        console.print("  ".join(words).rstrip())

    for name, path in benchmark(config, progress).items():
        console.print(f"  {name:<5} {path}")
