"""Call the console script from tests, and its smallest runs."""

import io
import logging
import os
import signal
import subprocess
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

TINY = [
    "augmentation=small",
    "augmentation.size=32",
    "augmentation.clip_transforms.0.zoom=[1.0,1.2]",
    "model.key_channels=8",
    "model.value_channels=8",
    "model.decoder_channels=8",
    "model.weights=none",
    "datamodule.sequences.count=2",
    "datamodule.batch_size=2",
    "datamodule.device_batch_size=1",
    "datamodule.num_workers=1",
    "trainer=cpu",
    "calibration.batches=2",
    "trainer.log_every_n_steps=1",
    "optimizer=adamw",
]


def vosmem(*arguments: str, cwd: Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the console script that is installed next to this Python."""
    program = Path(sys.executable).with_name("vosmem")
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", **environment}
    done = subprocess.run([program, *arguments], cwd=cwd, env=variables, capture_output=True, text=True, timeout=300)
    return _checked(done, check)


def in_process(*arguments: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the entry point of the console script in this process, which has imported torch already.

    Seconds faster than `vosmem`, with every shape checked. Use `vosmem` for what a process of its own is needed for:
    environment variables, signals, output of libraries, further processes.
    """
    from vosmem.cli import __main__

    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    status = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as out:
        patch.chdir(cwd)
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setattr(sys, "argv", [str(Path(sys.executable).with_name("vosmem")), *arguments])
        with redirect_stderr(io.StringIO()) as err:
            try:
                __main__.main()
            except SystemExit as end:
                status = int(end.code or 0)
            except Exception:  # as Python reports it
                traceback.print_exc()
                status = 1
            finally:
                for number, handler in signals.items():
                    signal.signal(number, handler)
                for handler in set(root.handlers).difference(handlers):
                    root.removeHandler(handler)
                root.setLevel(level)
    return _checked(subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue()), check)


def _checked(done: subprocess.CompletedProcess[str], check: bool) -> subprocess.CompletedProcess[str]:
    if check and done.returncode:
        raise AssertionError(f"exit status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


def tiny_train(cwd: Path, *overrides: str, data: str = "embedded") -> list[str]:
    """Arguments of a training of a few seconds on embedded photographs, or on the folder of images in `cwd`."""
    source = (
        ["datamodule=embedded", "datamodule.samples_per_epoch=6"]
        if data == "embedded"
        else ["datamodule=images", f"paths.images={data}"]
    )
    return ["train", *source, *TINY, *overrides]
