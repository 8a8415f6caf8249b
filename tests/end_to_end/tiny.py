"""The smallest runs of the console script, and how tests call it."""

import os
import subprocess
import sys
from pathlib import Path

TINY = [
    "synthesis=small",
    "synthesis.size=32",
    "synthesis.clip_transforms.0.zoom=[1.0,1.2]",
    "model.key_channels=8",
    "model.value_channels=8",
    "model.decoder_channels=8",
    "model.weights=none",
    "data.sequences.count=2",
    "data.batch_size=2",
    "data.device_batch_size=1",
    "data.num_workers=1",
    "trainer=cpu",
    "calibration.batches=2",
    "trainer.log_every_n_steps=1",
    "optimizer=adamw",
]


def vosmem(*arguments: str, cwd: Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the console script that was installed beside this Python."""
    program = Path(sys.executable).with_name("vosmem")
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", **environment}
    done = subprocess.run([program, *arguments], cwd=cwd, env=variables, capture_output=True, text=True, timeout=300)
    if check and done.returncode:
        raise AssertionError(f"exit status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


def tiny_train(cwd: Path, *overrides: str, data: str = "embedded") -> list[str]:
    """Arguments of a training of a few seconds on embedded photographs, or on the folder of stills in `cwd`."""
    source = (
        ["data=embedded", "data.samples_per_epoch=6"] if data == "embedded" else ["data=stills", f"paths.stills={data}"]
    )
    return ["train", *source, *TINY, *overrides]
