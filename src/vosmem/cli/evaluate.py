"""`vosmem evaluate`."""

from omegaconf import DictConfig

from vosmem.cli.hydra_app import run_hydra
from vosmem.cli.printing import plain_console
from vosmem.cli.resume import resumed_arguments
from vosmem.cli.sweeps import after_sweep


def run(arguments: list[str]) -> None:
    """Segment a data set and score it; `resume=RUN_DIR` continues that run in its folder."""
    run_hydra("evaluate", _evaluate, resumed_arguments("evaluate", arguments), after_sweep)


def _evaluate(config: DictConfig) -> None:
    from vosmem.commands.evaluation import evaluate
    from vosmem.evaluation.report import results_table
    from vosmem.evaluation.run import SequenceRun

    console = plain_console()

    def progress(name: str, run: SequenceRun) -> None:
        rate = len(run.seconds) / max(sum(run.seconds), 1e-9)
        console.print(f"{name}: {run.num_frames} frames, {rate:.1f} frames/s, masks used: {', '.join(run.masks_used)}")

    outcome, files = evaluate(config, progress)
    if outcome["num_objects"]:
        console.print(results_table(outcome, "percent"))
    else:
        console.print("not scored: only the given frames have ground truth")
    for name, path in files.items():
        console.print(f"  {name:<13} {path}")
