"""Inject faults into trainings, and compare trainings that were resumed after them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch

from tests.conftest import ROOT
from tests.end_to_end.tiny import tiny_train, vosmem
from vosmem.training.losses import ClipCrossEntropy

STEPS, EPOCH, VALIDATE = 8, 5, 5  # an epoch ends, and a validation falls, at the same step
RUN = [
    f"trainer.max_steps={STEPS}",
    f"validate_every_steps={VALIDATE}",
    "callbacks.last.every_n_train_steps=1",
    f"datamodule.samples_per_epoch={2 * EPOCH}",
    "scheduler=cosine",
    "score_untrained=true",
    "model.backbone=resnet10",
    "callbacks.progress.refresh_rate=0",
    "+callbacks.fault={_target_: tests.end_to_end.faults.SignalAt}",
]
EQUAL = ("state_dict", "optimizer_states", "lr_schedulers", "current_model_state", "averaging_state", "global_step")


class FailingLoss(ClipCrossEntropy):
    """No number, or a number without gradients, at one step."""

    def __init__(self, step: int, kind: str):
        super().__init__()
        self.step, self.kind = step, kind

    def forward(self, logits, labels, step):
        loss = super().forward(logits, labels, step)
        if step != self.step:
            return loss
        return loss * torch.nan if self.kind == "loss" else loss + (0 * loss).sqrt()


class SignalAt(pl.Callback):
    """Sends this process a signal where the variable FAULT says, as `HOOK STEP SIGNAL [RANK]`; once."""

    def __init__(self) -> None:
        self.hook, step, number, *rank = os.environ.get("FAULT", "none 0 0").split()
        self.step, self.number, self.rank = int(step), int(number), int(rank[0]) if rank else 0

    def _meet(self, hook: str, trainer: pl.Trainer) -> None:
        if hook == self.hook and trainer.global_step == self.step and trainer.global_rank == self.rank:
            self.hook = "done"
            os.kill(os.getpid(), self.number)

    def on_train_batch_start(self, trainer, *_):
        self._meet("batch", trainer)

    def on_before_backward(self, trainer, *_):
        self._meet("loss", trainer)

    def on_before_optimizer_step(self, trainer, *_):
        self._meet("update", trainer)

    def on_validation_batch_start(self, trainer, *_):
        self._meet("validation", trainer)

    def on_train_end(self, trainer, *_):
        self._meet("end", trainer)


def arguments(run: str, *extra: str, folder: Path = Path()) -> list[str]:
    """Arguments of a training of a few seconds."""
    return tiny_train(folder, *RUN, f"hydra.run.dir={run}", *extra)


def console(*args: str, cwd: Path, fault: str = "none 0 0", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the console script with a fault, in a session of its own, so that no process remains."""
    return vosmem(*args, cwd=cwd, check=False, FAULT=fault, PYTHONPATH=str(ROOT), **environment)


def forked(*args: str, cwd: Path, kill_after: float | None = None) -> int:
    """Run the command in a fork of this process; return the exit status, negative if it was killed."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.setsid()
            with pytest.MonkeyPatch.context() as patch, open(os.devnull, "w") as missing:
                os.dup2(missing.fileno(), 1)
                os.dup2(missing.fileno(), 2)
                status = train(*args, cwd=cwd, monkeypatch=patch)
        finally:
            os._exit(status)
    if kill_after is not None:
        time.sleep(kill_after)
        with suppress(ProcessLookupError):  # it has not come to a session of its own, or is done
            os.killpg(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def train(*args: str, cwd: Path, monkeypatch, fault: str | None = None) -> int:
    """Run the command in this process; return the exit status."""
    from vosmem.cli import __main__

    monkeypatch.chdir(cwd)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("FAULT", fault or "none 0 0")
    monkeypatch.setattr(sys, "argv", ["vosmem", *args])
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        __main__.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return 0


def last(run: Path, name: str = "last.ckpt") -> dict:
    return torch.load(run / "checkpoints" / name, weights_only=True)


def differing(one, other, where="") -> list[str]:
    """Paths at which two nested values differ, bit for bit."""
    if isinstance(one, torch.Tensor):
        return [] if torch.equal(one, other) else [where]
    if isinstance(one, dict):
        keys = [where] if one.keys() != other.keys() else []
        return keys + [
            w for key in one.keys() & other.keys() for w in differing(one[key], other[key], f"{where}.{key}")
        ]
    if isinstance(one, (list, tuple)):
        return [where] * (len(one) != len(other)) + [
            w for n, pair in enumerate(zip(one, other, strict=False)) for w in differing(*pair, f"{where}.{n}")
        ]
    return [] if one == other else [where]


def assert_same_training(run: Path, whole: Path) -> None:
    """Weights, optimiser, schedule, average and position, bit for bit; scores; and both curves."""
    states = [last(folder) for folder in (run, whole)]
    positions = [{name: state.get(name) for name in ("PretrainData", "MainData", "FolderData")} for state in states]
    kept = [{name: state[name] for name in EQUAL if name in state} for state in states]
    assert differing(*kept) == [] and positions[0] == positions[1]
    assert (run / "scores.json").read_text() == (whole / "scores.json").read_text()
    best = [last(folder, "best.ckpt") for folder in (run, whole)]
    assert best[0]["global_step"] == best[1]["global_step"]
    assert differing(best[0]["state_dict"], best[1]["state_dict"]) == []
    tables = [pd.read_csv(folder / "metrics.csv") for folder in (run, whole)]
    for column in ("train/loss", "val/J&F"):
        found, expected = (dict(table[["step", column]].dropna().itertuples(index=False)) for table in tables)
        assert found == expected, column
