"""A killed `vosmem segment` leaves only whole files, and the same command again equals a run without a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.end_to_end.faults import forked, train
from tests.end_to_end.tiny import vosmem
from tests.segmentation.made import repeatable, write_checkpoint, write_frames
from vosmem.networks import STM
from vosmem.segmentation import run_state
from vosmem.segmentation.run_state import STATE

FRAMES, KILLS = 40, 20
CHANGING = ("run.json", "report.html")  # which hold times
WRITTEN = ("--write", "overlay,report,probabilities,prores,webm,coco,youtube-vis,cvat,label-studio,yolo")
GIVEN = ("segment", "frames", "--mask", "mask.png", *WRITTEN, "--weights", "tiny.ckpt", "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A video, and a run without a kill."""
    folder = tmp_path_factory.mktemp("killed")
    write_checkpoint(folder / "tiny.ckpt")
    write_frames(folder / "frames", folder / "mask.png", FRAMES)
    assert forked(*GIVEN, "--output", "whole", cwd=folder) == 0
    return folder


def files(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): b"" if path.name in CHANGING else repeatable(path)
        for path in out.rglob("*")
        if path.is_file() and STATE not in path.name and not path.name.endswith(".partial")
    }


@pytest.mark.parametrize("kills", [2, pytest.param(KILLS, marks=pytest.mark.slow)])
def test_killed_at_any_moment(folder, kills, monkeypatch):
    """The state is saved after every frame; forks have the patched interval, too."""
    monkeypatch.setattr(run_state, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(run_state, "SAVE_SHARE", 1e9)
    start = time.monotonic()
    assert forked(*GIVEN, "--output", f"timed{kills}", cwd=folder) == 0
    moments = (time.monotonic() - start) * np.random.default_rng(kills).uniform(0.2, 0.9, kills)
    whole, killed, saved = files(folder / "whole"), 0, 0
    for number, moment in enumerate(moments):
        out = f"out{kills}_{number}"
        killed += forked(*GIVEN, "--output", out, cwd=folder, kill_after=moment) == -signal.SIGKILL
        saved += (folder / out / STATE).exists()
        for name, found in files(folder / out).items():
            assert name.endswith("run.json") or found == whole[name]
        assert forked(*GIVEN, "--output", out, cwd=folder) == 0
        assert files(folder / out) == whole and not (folder / out / STATE).exists()
    assert killed > kills / 2 and (saved or kills == 2)  # two kills may both be before the first frame


@pytest.mark.slow
def test_a_run_that_is_asked_to_stop_continues(folder):
    command = [Path(sys.executable).with_name("vosmem"), *GIVEN, "--output", "stopped", "--direction", "both"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    while not (folder / "stopped" / "masks").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, reported = process.communicate(timeout=100)
    assert process.returncode == 143 and reported.count("vosmem: ") == 1 and "the same command continues" in reported
    again = vosmem(*GIVEN, "--output", "stopped", "--direction", "both", cwd=folder)
    assert "continued after frame" in again.stdout
    vosmem(*GIVEN, "--output", "undisturbed", "--direction", "both", cwd=folder)
    assert files(folder / "stopped") == files(folder / "undisturbed")


def test_out_of_memory_says_what_to_turn(folder, monkeypatch, capfd):
    def full(self, *arguments, **keywords):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(STM, "encode_query", full)
    assert train(*GIVEN, "--output", "memory", cwd=folder, monkeypatch=monkeypatch) == 2
    reported = capfd.readouterr().err
    assert reported == (
        "vosmem: out of memory: set a smaller --size, --max-frames or --memory-budget, or --precision bf16\n"
    )
