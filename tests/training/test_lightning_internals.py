"""What vosmem expects of Lightning's internals. A failure here names the change of Lightning that broke vosmem."""

import inspect

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins import MixedPrecision
from torch.utils.data import DataLoader

from vosmem.training.lightning_internals import (
    batch_progress,
    batches_done,
    has_saved,
    logs_this_step,
    save_now,
    scales_gradients,
    set_accumulation,
    set_logged_step,
    validate_now,
)

BATCHES, EPOCHS = 4, 2


def broken(what: str, used_for: str) -> str:
    """The message of a failure."""
    return (
        f"pytorch-lightning {pl.__version__} changed {what}, which vosmem needs {used_for} (last seen right in 2.6.6)"
    )


class Line(pl.LightningModule):
    """Fits a line; logs what is passed to it."""

    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        if hasattr(self.trainer, "asked"):
            self.trainer.asked.append(logs_this_step(self.trainer))
            self.log("step", float(batch_idx))
        return self.line(batch).square().mean()

    def validation_step(self, batch, batch_idx):
        self.log("val", 1.0)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Watch(pl.Callback):
    """Calls each function where vosmem does, and notes what comes back."""

    def __init__(self, saver):
        self.saver, self.done, self.validations, self.saved, self.counts = saver, [], 0, [], []

    def on_validation_start(self, trainer, pl_module):
        self.validations += 1

    def on_train_start(self, trainer, pl_module):
        self.state = trainer.state.stage
        validate_now(trainer)
        self.state_after = trainer.state.stage

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.done.append(batches_done(trainer))
        self.saved.append(has_saved(self.saver, trainer))
        if trainer.global_step == 2 and not self.counts:
            save_now(self.saver, trainer)
            self.saved.append(has_saved(self.saver, trainer))

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        self.counts.append([dict(counts) for counts in batch_progress(checkpoint)])


def fitted(folder):
    """A trainer that is done, and what was seen."""
    saver = ModelCheckpoint(dirpath=folder, filename="last", every_n_train_steps=100, save_on_train_epoch_end=False)
    watch = Watch(saver)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=EPOCHS,
        logger=False,
        callbacks=[watch, saver],
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    set_accumulation(trainer, 2, BATCHES)
    data = [DataLoader(torch.ones(BATCHES, 1)) for _ in range(2)]
    trainer.fit(Line(), *data)
    return trainer, watch


def test_internals_during_a_training(tmp_path):
    trainer, seen = fitted(tmp_path)
    expected = {
        "when Trainer.fit reads accumulate_grad_batches": (
            trainer.global_step,
            BATCHES * EPOCHS // 2,
            "to keep a step",
        ),
        "Trainer.fit_loop.total_batch_idx": (
            seen.done,
            [*range(1, BATCHES * EPOCHS + 1)],
            "to validate and log on time",
        ),
        "val_loop.run() or val_check_interval": (seen.validations, 1 + EPOCHS, "to finish a validation on resume"),
        "Trainer.training's setter": (seen.state_after, seen.state, "to go on after a validation in a training"),
        "ModelCheckpoint._last_global_step_saved": (
            seen.saved[:5],
            [True, False, False, False, True],
            "to save no step twice",
        ),
        "ModelCheckpoint._save_none_monitor_checkpoint": (len(seen.counts), 1, "to save when a validation starts"),
        "the counts of epoch_loop.batch_progress in a checkpoint": (
            [(c["ready"], c["started"], c["processed"]) for c in seen.counts[0]],
            [(4, 4, 4)] * 2,
            "to resume at a whole step",
        ),
    }
    for what, (got, wanted, used_for) in expected.items():
        assert got == wanted, broken(what, used_for)
    assert (tmp_path / "last.ckpt").is_file(), broken("where a callback saves", "to find the last checkpoint")


def test_the_steps_that_are_logged_are_known_before(tmp_path):
    """Two batches a step, and every second step is logged."""
    logged = []

    class Recording(pl.loggers.CSVLogger):
        def log_metrics(self, metrics, step=None):
            logged.append(step)  # the value that is logged as "step": the index of the batch

    settings = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(accelerator="cpu", max_epochs=1, log_every_n_steps=2, logger=Recording(tmp_path), **settings)
    set_accumulation(trainer, 2, BATCHES)
    trainer.asked = []
    trainer.fit(Line(), DataLoader(torch.ones(2 * BATCHES, 1)))
    expected = [index for index, asked in enumerate(trainer.asked) if asked]
    values = [value for value in logged if value is not None]
    assert len(expected) == BATCHES and values and set(values) <= set(expected), broken(
        "_TrainingEpochLoop._batches_that_stepped", "to exchange only the values that are logged"
    )


def test_loggers_count_by_the_step_that_is_set(tmp_path):
    logged = []

    class Recording(pl.loggers.CSVLogger):
        def log_metrics(self, metrics, step=None):
            logged.append(step)

    trainer = pl.Trainer(
        accelerator="cpu", logger=Recording(tmp_path), enable_checkpointing=False, enable_progress_bar=False
    )
    set_logged_step(trainer, 17)
    trainer.validate(Line(), DataLoader(torch.ones(1, 1)), verbose=False)
    assert logged and set(logged) == {17}, broken(
        "_TrainingEpochLoop._batches_that_stepped", "to log the validation after a training at its last step"
    )


def test_scaled_gradients_are_reported_by_the_precision_plugin():
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    assert not scales_gradients(trainer)
    scaler = inspect.signature(MixedPrecision.__init__).parameters.get("scaler")
    assert scaler is not None, broken("MixedPrecision's `scaler`", "to leave fp16's overflows to the scaler")
    trainer.strategy.precision_plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))
    assert scales_gradients(trainer), broken("MixedPrecision.scaler", "to leave fp16's overflows to the scaler")
