"""Lightning modules: a network, its loss and its optimiser."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vosmem.data.videos import VideoSequence
from vosmem.evaluation.run import SequenceRun, Writer, evaluate_sequence
from vosmem.inference.propagation.propagator import Propagator
from vosmem.inference.propagation.window import Zoom
from vosmem.memory.policy import MemoryPolicy
from vosmem.metrics.mean_scores import MeanScores
from vosmem.networks.compilation import compile_for_training
from vosmem.networks.network import MemoryNetwork
from vosmem.shapes import Clip
from vosmem.training.lightning_internals import logs_this_step
from vosmem.training.losses import matching_loss
from vosmem.training.perturbation import PriorPerturbation
from vosmem.training.schedules import follow_schedule
from vosmem.training.unroll import unroll

MakeOptimizer = Callable[[Iterable[dict[str, Any]]], torch.optim.Optimizer]
MakeScheduler = Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]


class PretrainModule(pl.LightningModule):
    """Trains a network on short clips, and validates it on sequences as in an evaluation.

    Args:
        loss: from logits (B, T-1, K+1, H, W), labels (B, T-1, H, W) and the step to a scalar.
        optimizer: makes the optimiser from parameter groups.
        scheduler: makes a schedule, which is stepped after every optimiser step.
        policy: which frames validation keeps in memory.
        backbone_lr_factor: learning rate of the trunk without mask input, relative to the rest; 0 freezes it, which
            saves its backward pass. A trunk with mask input has the full rate: it starts from image classification,
            which has no masks.
        mask_lr_factor: learning rate of the filters that read masks, relative to the rest; they start from random.
        frozen_stages: frozen ResNet stages of the first trunk: 0 none, 1 its stem and `layer1`, 2 also `layer2`.
        matching_weight: weight of `matching_loss`, which supervises the keys directly; the paper has 0.
        recompute: see `unroll`; for clips that exceed a GPU's memory otherwise.
        perturb: see `unroll`; None gives local attention the predicted masks.
        zoom: window of validation; None validates on whole frames, as the papers do.
        compile: whether backbones and decoder are compiled; the first steps wait for it.

    Source:
        STM sections 3.6 and 3.7.
    """

    detach_masks = False
    watch: Writer | None = None  # is called with every frame that validation segments

    def __init__(
        self,
        *,
        network: MemoryNetwork,
        loss: nn.Module,
        optimizer: MakeOptimizer,
        scheduler: MakeScheduler,
        policy: MemoryPolicy,
        backbone_lr_factor: float = 1.0,
        mask_lr_factor: float = 1.0,
        frozen_stages: int = 0,
        matching_weight: float = 0.0,
        recompute: bool = False,
        perturb: PriorPerturbation | None = None,
        zoom: Zoom | None = None,
        compile: bool = False,
    ):
        super().__init__()
        self.network, self.loss, self.policy, self.zoom = network, loss, policy, zoom
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        self.backbone_lr_factor, self.matching_weight = backbone_lr_factor, matching_weight
        self.recompute, self.perturb = recompute, perturb
        self.mask_lr_factor, self.compiles = mask_lr_factor, compile
        trunk = network.trunks()[0]
        trunk.freeze(3 if not backbone_lr_factor else frozen_stages)
        if network.gate is not None:
            network.gate.requires_grad_(False)  # only phase=gate uses and trains it
        self.val_scores = MeanScores()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue on the schedule of this configuration, even if the run began with another."""
        follow_schedule(checkpoint, self._make_scheduler)

    def on_fit_start(self) -> None:
        """Compile where the weights are, after callbacks have copied the network."""
        if self.compiles:
            compile_for_training(self.network, self.device)

    def on_train_start(self) -> None:
        """Warn if the schedule ends before the training."""
        rates = [group["lr"] for optimizer in self.trainer.optimizers for group in optimizer.param_groups]
        if any(rates) or not rates or not 0 < self.global_step < self.trainer.max_steps:
            return
        if self.trainer.is_global_zero:
            print(
                f"vosmem: the learning rate schedule has ended: all rates are 0 from step {self.global_step} to step "
                f"{self.trainer.max_steps}; set the steps of the schedule in scheduler.*",
                file=sys.stderr,
            )

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Leave the numbers of objects on the CPU: shapes depend on them, and a GPU would have to answer first."""
        if not isinstance(batch, Clip):
            return super().transfer_batch_to_device(batch, device, dataloader_idx)
        frames, labels = (part.to(device, non_blocking=True) for part in (batch.frames, batch.labels))
        return Clip(frames, labels, batch.num_objects)

    def training_step(self, clip: Clip, batch_index: int) -> Float[Tensor, ""]:
        logits, carried, expected = unroll(self.network, clip, self.detach_masks, self.recompute, self.perturb)
        loss = self.loss(logits, clip.labels[:, 1:], self.global_step)
        self.log_mean("train/loss", loss, clip, prog_bar=True)
        if not self.matching_weight:
            return loss
        matching = matching_loss(carried, expected, len(clip.frames))
        self.log_mean("train/matching_loss", matching, clip)
        return loss + self.matching_weight * matching

    def log_mean(self, name: str, value: Float[Tensor, ""], clip: Clip, prog_bar: bool = False) -> None:
        """Log the mean over processes, so that the curve does not depend on their number.

        Processes exchange the value only in steps that reach the loggers; the progress bar shows the first process's.
        Without a trainer nothing is logged.
        """
        if self._trainer is not None:
            reduced = logs_this_step(self.trainer)
            self.log(name, value, prog_bar=prog_bar, batch_size=len(clip.frames), sync_dist=reduced)

    def validation_step(self, sequence: VideoSequence | None, batch_index: int) -> dict[str, SequenceRun] | None:
        """Segment a sequence as `vosmem evaluate` with an equal `zoom` does, and score it.

        The sequence is None if there are fewer sequences than processes.
        """
        if sequence is None:
            return None
        propagator = Propagator(self.network, self.policy, zoom=self.zoom, video=sequence.name)
        run = evaluate_sequence(sequence, propagator, self.device, self.watch)
        self.val_scores.update(run.scores)
        return {"run": run}

    def on_validation_epoch_end(self) -> None:
        """Log J&F and every metric over all objects."""
        scores = self.val_scores.compute()
        self.log_dict({f"val/{name}": value for name, value in scores.items()}, prog_bar=False)
        self.log("val_j_and_f", scores["J&F"], prog_bar=True, logger=False)  # a name for file names and progress bars
        self.val_scores.reset()

    def configure_optimizers(self) -> Any:
        """Parameter groups of the first trunk, of mask filters, and of the rest; empty groups are dropped."""
        trunk_ids = {id(p) for p in self.network.trunks()[0].parameters()}
        mask_ids = {id(p) for trunk in self.network.trunks() for p in trunk.mask_convs.parameters()}
        trainable = [p for p in self.network.parameters() if p.requires_grad]
        defaults = self._make_optimizer([{"params": trainable}]).defaults
        groups = [
            {"params": [p for p in trainable if id(p) in trunk_ids], "lr": defaults["lr"] * self.backbone_lr_factor},
            {"params": [p for p in trainable if id(p) in mask_ids], "lr": defaults["lr"] * self.mask_lr_factor},
            {"params": [p for p in trainable if id(p) not in trunk_ids | mask_ids]},
        ]
        # An option of the groups and not of the optimiser, which would then refuse to clip gradients scaled for fp16.
        fused = {"fused": True} if self.device.type == "cuda" and "fused" in defaults else {}
        optimizer = self._make_optimizer([{**group, **fused} for group in groups if group["params"]])
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self._make_scheduler(optimizer), "interval": "step"},
        }


class MainModule(PretrainModule):
    """Main training: `PretrainModule` on clips of video.

    Args:
        detach_masks: whether an estimate is memorised without its gradient, which saves memory and is what some
            re-implementations do; the paper keeps the gradient.
    """

    def __init__(self, *, detach_masks: bool, **settings: Any):
        super().__init__(**settings)
        self.detach_masks = detach_masks
