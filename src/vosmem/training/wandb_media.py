"""Media of a validation for Weights & Biases: images with masks, short videos, and a table of scores."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytorch_lightning as pl
from jaxtyping import UInt8
from pytorch_lightning.loggers import WandbLogger

from vosmem.data.videos import VideoSequence
from vosmem.evaluation.run import SequenceRun
from vosmem.inference.sequences.methods import SegmentedFrame
from vosmem.metrics.davis import summarize
from vosmem.metrics.registry import score_names
from vosmem.training.modules import PretrainModule
from vosmem.visualization.overlay import overlay
from vosmem.visualization.video import write_video


class LogMedia(pl.Callback):
    """Logs a table of every sequence's scores, and images and overlay videos of the first `num_sequences`.

    Args:
        output_dir: folder of the run; videos are written below `media/`.
        num_sequences: number of sequences with images and videos.
        height: largest height of images and videos, in pixels.
    """

    def __init__(self, output_dir: str, num_sequences: int, height: int, frames_per_second: int):
        self.output_dir, self.num_sequences = Path(output_dir), num_sequences
        self.height, self.frames_per_second = height, frames_per_second
        self._runs: dict[str, SequenceRun] = {}
        self._shown: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]] = {}

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, PretrainModule)
        self._runs, self._shown = {}, {}
        pl_module.watch = self._keep

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: VideoSequence,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if outputs is not None:
            self._runs[batch.name] = outputs["run"]

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, PretrainModule)
        pl_module.watch = None
        if trainer.is_global_zero and not trainer.sanity_checking:
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    self._log(logger, trainer.global_step)

    def _keep(self, sequence: VideoSequence, segmented: SegmentedFrame) -> None:
        """Keep a frame with predicted and true labels if its sequence is one of the first."""
        if sequence.name not in self._shown and len(self._shown) >= self.num_sequences:
            return
        frame = np.ascontiguousarray(sequence.frame(segmented.t).permute(1, 2, 0).numpy())
        truth = sequence.labels(segmented.t)
        kept = (
            self._small(frame, cv2.INTER_AREA),
            self._small(segmented.labels.numpy(), cv2.INTER_NEAREST),
            None if truth is None else self._small(truth.numpy(), cv2.INTER_NEAREST),
        )
        self._shown.setdefault(sequence.name, []).append(kept)

    def _small(self, image: UInt8[np.ndarray, "H W *C"], interpolation: int) -> UInt8[np.ndarray, "h w *C"]:
        height, width = image.shape[:2]
        if height <= self.height:
            return image.copy()
        return cv2.resize(image, (round(width * self.height / height), self.height), interpolation=interpolation)

    def _log(self, logger: WandbLogger, step: int) -> None:
        rows = [
            [name, *(100 * summarize(run.scores)[key] for key in score_names())]
            for name, run in self._runs.items()
            if any(score.num_frames for score in run.scores)
        ]
        logger.log_table("val/sequences", columns=["sequence", *score_names()], data=rows, step=step)
        for name, frames in self._shown.items():
            image, predicted, truth = frames[-1]
            masks = {"prediction": predicted, **({} if truth is None else {"truth": truth})}
            named = {key: {"mask_data": mask, "class_labels": _class_labels(mask)} for key, mask in masks.items()}
            caption = f"{name}, last frame"
            logger.log_image(f"val/masks/{name}", [image], step=step, caption=[caption], masks=[named])
            path = self.output_dir / "media" / f"{name}_{step:06d}.mp4"
            write_video((overlay(frame, labels) for frame, labels, _ in frames), path, self.frames_per_second)
            logger.log_video(f"val/video/{name}", [str(path)], step=step, format=["mp4"])


def _class_labels(mask: UInt8[np.ndarray, "H W"]) -> dict[int, str]:
    return {int(label): f"object {label}" if label else "background" for label in np.unique(mask)}
