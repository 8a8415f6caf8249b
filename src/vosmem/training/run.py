"""A training run from its data check to its pictures."""

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
    """What a run leaves.

    Attributes:
        scores: J&F in [0, 1] on the validation sequences, by name.
        files: what lies where, by what it is.
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
    """Check the data, score where asked, train, score, and draw.

    Args:
        trainer: the trainer.
        module: what is trained.
        data: samples and validation sequences.
        output_dir: folder of the run.
        checkpoint: where to go on from; None starts anew.
        fit: False leaves the network as it came, and the rest of the run as it is.
        check_data: as `ClipData.check_data`.
        score_untrained: whether the network is scored before its first step, and so is the copied first mask. Not done
            when a run goes on.

    Raises:
        InputError: the data cannot be used, a loader process died, or loss or gradients are not finite.
    """
    if check_data not in CHECKS:
        raise InputError(f"check_data={check_data} is unknown: use {', '.join(CHECKS)}")
    data.check_data = check_data
    known = _read_scores(output_dir) if checkpoint else {}
    known.pop(SCORES[2], None)  # of an earlier end of this run; its absence says that there is more to do
    strip = ValidationStrip(partial(validated, trainer, data))
    if checkpoint is None and score_untrained:
        with timed("scoring the untrained network"):
            known[SCORES[0]] = _validate(trainer, module, data)  # before calibration, which learns from the data
            if trainer.is_global_zero:
                strip.predict(module, SCORES[0])
        with timed("scoring the copied first mask"):
            known[SCORES[1]] = _copied(validated(trainer, data))
    if trainer.is_global_zero:
        _write_scores(output_dir, known)
    if fit:
        with data.naming_samples():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    last = output_dir / CHECKPOINTS / LAST
    trainer.save_checkpoint(last)
    known[SCORES[2]] = _validate(trainer, module, data)
    report = TrainingReport(scores=known)
    if trainer.is_global_zero:
        strip.predict(module, SCORES[2])
        _draw(strip, output_dir)
        _write_scores(output_dir, known)  # last: they say that the run is finished
        report.files = _files(output_dir)
    return report


def finished_run(checkpoint: Path, output_dir: Path, max_steps: int, max_time: Any) -> TrainingReport | None:
    """What a run left that has nothing more to do; None where there is more.

    Args:
        checkpoint: the run's last.
        output_dir: folder of the run.
        max_steps: steps of the whole training.
        max_time: time of the whole training as of `pytorch_lightning.callbacks.Timer`.

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
    """Keep Lightning from warning of what is meant to be so: held batch norms, few loader workers, an unused `srun`,
    scores that are gathered from all processes already, and a loader whose position the sampler keeps."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    meant = (
        *("in eval mode at the start of training", "does not have many workers", "LeafSpec", "The `srun` command"),
        *("when logging on epoch level in distributed setting", "your dataloader is not resumable"),
    )
    for message in meant:
        warnings.filterwarnings("ignore", message=f".*{message}.*")


def _validate(trainer: pl.Trainer, module: PretrainModule, data: ClipData) -> float:
    outcome = trainer.validate(module, datamodule=data, verbose=False, weights_only=True)
    return float(outcome[0]["val/J&F"])


def validated(trainer: pl.Trainer, data: ClipData) -> Sequence[VideoSequence]:
    """The sequences that a validation takes: all, or the first few where `trainer.limit_val_batches` is a number."""
    limit = trainer.limit_val_batches
    return (
        data.sequences if isinstance(limit, float) else [data.sequences[i] for i in range(len(data.sequences))[:limit]]
    )


def _copied(sequences: Sequence[VideoSequence]) -> float:
    cpu = torch.device("cpu")
    runs = [evaluate_sequence(sequence, CopyFirstMask(), cpu) for sequence in sequences]
    return summarize([score for run in runs for score in run.scores])["J&F"]


def _files(output_dir: Path) -> dict[str, Path]:
    """What lies in the folder of a finished run."""
    files = {
        "checkpoint": output_dir / CHECKPOINTS / LAST,
        "config": output_dir / "config.yaml",
        "metrics": output_dir / "metrics.csv",
        "curves": output_dir / "curves.png",
        "overlay strip": output_dir / "overlay.png",
    }
    return {name: path for name, path in files.items() if path.is_file()}


def _draw(strip: ValidationStrip, output_dir: Path) -> None:
    """Curves from the logged metrics, and the strip of validation sequences."""
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
        raise InputError(f"scores {str(path)!r} are damaged: delete the file to go on without them") from error


def _write_scores(output_dir: Path, scores: Mapping[str, float]) -> None:
    write_text(output_dir / "scores.json", json.dumps(scores, indent=2) + "\n")
