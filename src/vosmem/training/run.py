"""A training run from its data check to its pictures."""

import json
import logging
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pytorch_lightning as pl
import torch

from vosmem.data.datamodules import ClipData
from vosmem.data.videos import VideoSequence
from vosmem.errors import InputError
from vosmem.evaluation.baselines import CopyFirstMask
from vosmem.evaluation.run import evaluate_sequence
from vosmem.files import write_text
from vosmem.inference.propagation import Propagator
from vosmem.inference.sequences import segment_sequence
from vosmem.metrics.davis import summarize
from vosmem.training.calibration import Calibration, calibrate
from vosmem.training.modules import PretrainModule
from vosmem.training.saving import CHECKPOINTS, LAST
from vosmem.visualization.curves import collect_metrics, plot_curves
from vosmem.visualization.overlay import overlay_strip

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
    calibration: Calibration | None = None,
    fit: bool = True,
) -> TrainingReport:
    """Check the data, score, train, score again, and draw.

    Args:
        trainer: the trainer.
        module: what is trained.
        data: samples and validation sequences.
        output_dir: folder of the run.
        checkpoint: where to go on from; None starts anew.
        calibration: what is set from training data before the first step; None leaves the network as it is.
        fit: False leaves the network as it came, and the rest of the run as it is.

    Raises:
        InputError: the data cannot be used, a loader process died, or loss or gradients are not finite.
    """
    data.check()
    known = _read_scores(output_dir) if checkpoint else {}
    if checkpoint is None:
        known[SCORES[0]] = _validate(trainer, module, data)  # before calibration, which already learns from the data
        known[SCORES[1]] = _copied(data.sequences)
        if fit and calibration is not None and calibration.batches:
            with data.naming():
                calibrate(module.network, islice(data.calibration_dataloader(), calibration.batches), calibration)
        if trainer.is_global_zero:
            _write_scores(output_dir, known)
    if fit:
        with data.naming():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    last = output_dir / CHECKPOINTS / LAST
    trainer.save_checkpoint(last)
    known[SCORES[2]] = _validate(trainer, module, data)
    report = TrainingReport(scores=known)
    if trainer.is_global_zero:
        _write_scores(output_dir, known)
        report.files = {"checkpoint": last, "config": output_dir / "config.yaml", **_draw(module, data, output_dir)}
    return report


def hush_lightning() -> None:
    """Keep Lightning from telling what is meant to be so: held batch norms, few loader workers, an unused `srun`, and
    scores that the metric has already gathered from all processes."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    meant = (
        *("in eval mode at the start of training", "does not have many workers", "LeafSpec", "The `srun` command"),
        "when logging on epoch level in distributed setting",
    )
    for message in meant:
        warnings.filterwarnings("ignore", message=f".*{message}.*")


def _validate(trainer: pl.Trainer, module: PretrainModule, data: ClipData) -> float:
    outcome = trainer.validate(module, datamodule=data, verbose=False, weights_only=True)
    return float(outcome[0]["val/J&F"])


def _copied(sequences: Sequence[VideoSequence]) -> float:
    cpu = torch.device("cpu")
    runs = [evaluate_sequence(sequence, CopyFirstMask(), cpu) for sequence in sequences]
    return summarize([score for run in runs for score in run.scores])["J&F"]


def _draw(module: PretrainModule, data: ClipData, output_dir: Path) -> dict[str, Path]:
    """Curves from the logged metrics, and a strip of validation sequences."""
    files = {}
    metrics = collect_metrics(output_dir)
    if metrics is not None:
        files["metrics"] = output_dir / "metrics.csv"
        metrics.to_csv(files["metrics"], index=False)
        files["curves"] = plot_curves(metrics, output_dir / "curves.png")
    module.eval()
    rows = []
    for sequence in _spread(data.sequences, 6):
        propagator = Propagator(module.network, module.policy, video=sequence.name)
        frames = segment_sequence(sequence, propagator, module.device)
        (final,) = deque(frames, maxlen=1)  # a whole video's probabilities would fill the memory
        truth = sequence.labels(final.t)
        rows.append((sequence.frame(0), sequence.given_mask(0), sequence.frame(final.t), truth, final.labels))
    files["overlay strip"] = overlay_strip(rows, output_dir / "overlay.png")
    return files


def _spread(sequences: Sequence[VideoSequence], most: int) -> Sequence[VideoSequence]:
    step = max(1, len(sequences) // most)
    return sequences[::step][:most]


def _read_scores(output_dir: Path) -> dict[str, float]:
    path = output_dir / "scores.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except ValueError as error:
        raise InputError(f"scores {str(path)!r} are damaged: delete the file to go on without them") from error


def _write_scores(output_dir: Path, scores: Mapping[str, float]) -> None:
    write_text(output_dir / "scores.json", json.dumps(scores, indent=2) + "\n")
