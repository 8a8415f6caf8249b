"""A training run from its data check to its plots."""

import json
import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Timer

from vosmem.checkpoints.reading import read_checkpoint
from vosmem.data.sampling.clip_data import CHECKS, ClipData
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.evaluation.baselines import CopyFirstMask
from vosmem.evaluation.run import evaluate_sequence
from vosmem.files import write_text
from vosmem.metrics.davis import summarize
from vosmem.startup import is_first_process, timed
from vosmem.training.modules import PretrainModule
from vosmem.training.saving import CHECKPOINTS, LAST
from vosmem.training.strip import ValidationStrip
from vosmem.visualization.curves import collect_metrics, plot_curves

SCORES = ("before training", "first mask copied", "after training")


@dataclass
class TrainingReport:
    """The results of a run.

    Attributes:
        scores: J&F in [0, 1] on the validation sequences, by the names in `SCORES`.
        files: paths of the files that the run wrote, by description.
    """

    scores: dict[str, float] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)


def run_training(
    trainer: pl.Trainer,
    module: PretrainModule,
    data: ClipData,
    output_dir: Path,
    *,
    checkpoint: Path | None = None,
    fit: bool = True,
    check_data: str = "none",
    score_untrained: bool = False,
) -> TrainingReport:
    """Check the data, train, score, and plot.

    Args:
        checkpoint: checkpoint to resume from; None starts a new run.
        fit: False skips the training.
        check_data: see `ClipData.check_data`.
        score_untrained: whether to score the network before its first step, and the copied first mask; ignored on
            resume.

    Raises:
        InputError: the data cannot be used, a loader process died, or loss or gradients are not finite.
    """
    if check_data not in CHECKS:
        raise InputError(f"check_data={check_data} is unknown: use {', '.join(CHECKS)}")
    data.check_data = check_data
    scores = _read_scores(output_dir) if checkpoint else {}
    scores.pop(SCORES[2], None)  # present only when a run is finished
    strip = ValidationStrip(partial(validated, trainer, data))
    if checkpoint is None and score_untrained:
        with timed("scoring the untrained network"):
            scores[SCORES[0]] = _validate(trainer, module, data)  # before calibration, which learns from the data
            if trainer.is_global_zero:
                strip.predict(module, SCORES[0])
        with timed("scoring the copied first mask"):
            scores[SCORES[1]] = _copied(validated(trainer, data))
    if trainer.is_global_zero:
        _write_scores(output_dir, scores)
    if fit:
        with data.naming_samples():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        trainer.save_checkpoint(output_dir / CHECKPOINTS / LAST)  # first: an error in validation loses no weights
    scores[SCORES[2]] = _validate(trainer, module, data)
    if not fit:  # Lightning saves only a network that it has trained or validated
        trainer.save_checkpoint(output_dir / CHECKPOINTS / LAST)
    report = TrainingReport(scores)
    if trainer.is_global_zero:
        strip.predict(module, SCORES[2])
        _draw(strip, output_dir)
        _write_scores(output_dir, scores)  # last, because it marks the run as finished
        report.files = _files(output_dir)
    return report


def finished_run(checkpoint: Path, output_dir: Path, max_steps: int, max_time: Any) -> TrainingReport | None:
    """The results of a run that has no steps left; None if it has.

    Args:
        checkpoint: the last checkpoint of the run.
        max_steps: steps of the whole training.
        max_time: time of the whole training, see `pytorch_lightning.callbacks.Timer`.

    Raises:
        InputError: the checkpoint or the scores are damaged.
    """
    scores = _read_scores(output_dir)
    if SCORES[2] not in scores:
        return None
    state = read_checkpoint(checkpoint)
    timer = Timer(max_time)
    timer.load_state_dict(state["callbacks"].get("Timer", {}))
    remaining = timer.time_remaining()
    if state["global_step"] < max_steps and (remaining is None or remaining > 0):
        return None
    first = is_first_process()
    if first:
        print(
            f"vosmem: {str(output_dir)!r} is finished at step {state['global_step']}: to train further, raise "
            "trainer.max_steps or trainer.max_time",
            file=sys.stderr,
        )
    return TrainingReport(scores, _files(output_dir) if first else {})


def hush_lightning() -> None:
    """Hide Lightning's warnings of intended behaviour: frozen batch norms, few loader workers, an unused `srun`, scores
    that are gathered from all processes already, and a loader whose position the sampler saves."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    intended = (
        *("in eval mode at the start of training", "does not have many workers", "LeafSpec", "The `srun` command"),
        *("when logging on epoch level in distributed setting", "your dataloader is not resumable"),
    )
    for message in intended:
        warnings.filterwarnings("ignore", message=f".*{message}.*")


def _validate(trainer: pl.Trainer, module: PretrainModule, data: ClipData) -> float:
    outcome = trainer.validate(module, datamodule=data, verbose=False, weights_only=True)
    return float(outcome[0]["val/J&F"])


def validated(trainer: pl.Trainer, data: ClipData) -> Sequence[VideoSequence]:
    """The validation sequences: all, or the first `trainer.limit_val_batches` if that is an int."""
    limit = trainer.limit_val_batches
    return data.sequences if isinstance(limit, float) else data.sequences[:limit]


def _copied(sequences: Sequence[VideoSequence]) -> float:
    cpu = torch.device("cpu")
    runs = [evaluate_sequence(sequence, CopyFirstMask(), cpu) for sequence in sequences]
    return summarize([score for run in runs for score in run.scores])["J&F"]


def _files(output_dir: Path) -> dict[str, Path]:
    """The files in the folder of a finished run."""
    files = {
        "checkpoint": output_dir / CHECKPOINTS / LAST,
        "config": output_dir / "config.yaml",
        "metrics": output_dir / "metrics.csv",
        "curves": output_dir / "curves.png",
        "overlay strip": output_dir / "overlay.png",
    }
    return {name: path for name, path in files.items() if path.is_file()}


def _draw(strip: ValidationStrip, output_dir: Path) -> None:
    """Plot curves of the logged metrics, and the strip of validation sequences."""
    metrics = collect_metrics(output_dir)
    if metrics is not None:
        metrics.to_csv(output_dir / "metrics.csv", index=False)
        plot_curves(metrics, output_dir / "curves.png")
    strip.draw(output_dir / "overlay.png")


def _read_scores(output_dir: Path) -> dict[str, float]:
    path = output_dir / "scores.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except ValueError as error:
        raise InputError(f"scores {str(path)!r} are damaged: delete the file to continue without them") from error


def _write_scores(output_dir: Path, scores: Mapping[str, float]) -> None:
    write_text(output_dir / "scores.json", json.dumps(scores, indent=2) + "\n")
