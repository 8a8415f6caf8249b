"""`vosmem segment` of a list, in this process and in several that are killed."""

import gc
import os
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch

from tests.end_to_end.tiny import in_process, vosmem
from tests.segmentation.made import write_checkpoint, write_frames
from vosmem.networks import STM

OPTIONS = ("--weights", "tiny.ckpt", "--device", "cpu", "--write", "report,probabilities")
IN_PROCESSES = ("--engine", "processes", "--workers", "2", "--threads", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A checkpoint of random weights and a list of three videos, with one bad row and one broken video."""
    folder = tmp_path_factory.mktemp("many")
    write_checkpoint(folder / "tiny.ckpt")
    rows = ["video,mask,name"]
    for name, count in (("long", 40), ("short", 4), ("broken", 4)):
        write_frames(folder / "videos" / name, folder / "masks" / f"{name}.png", count)
        rows.append(f"videos/{name},masks/{name}.png,my {name}")
    broken = folder / "videos" / "broken" / "00002.png"
    broken.write_bytes(broken.read_bytes()[:500])
    (folder / "list.csv").write_text("\n".join([*rows, "videos/none,masks/long.png,none"]) + "\n")
    done = vosmem("segment", "list.csv", *OPTIONS, "--output", "here", cwd=folder, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 2, done.stderr
    return folder


def written(out: Path) -> dict[str, bytes]:
    """The content that must not depend on the worker; times and the order of rows may."""
    files = [path for path in sorted(out.rglob("*")) if path.suffix in (".png", ".npz") or path.name == "objects.csv"]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def table(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "segmented.csv", index_col="video")


def test_a_list_in_this_process(folder):
    states = table(folder / "here")["state"].to_dict()
    assert states == {"list.csv:5": "failed", "my long": "done", "my short": "done", "my broken": "failed"}
    assert len(list((folder / "here" / "my long" / "masks").iterdir())) == 40
    assert "00002.png" in table(folder / "here")["error"]["my broken"]


@pytest.mark.slow
def test_workers_that_are_killed_cost_nothing_but_time(folder):
    """The video of a killed worker is segmented again; results equal those of one process, and a re-run skips them."""
    program = Path(sys.executable).with_name("vosmem")
    command = [program, "segment", "list.csv", *OPTIONS, *IN_PROCESSES, "--output", "shared"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    masks = folder / "shared" / "my long" / "masks"
    deadline = time.monotonic() + 120
    while not (masks / "00003.png").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.005)
    workers = [child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) == 2
    for worker in workers:
        worker.kill()
    assert process.wait(timeout=200) == 1  # for the bad row and the broken video
    assert process.stderr.read().count("\n") == 2
    shared = table(folder / "shared")
    assert shared["state"].to_dict() == table(folder / "here")["state"].to_dict()
    assert shared["attempts"]["my long"] == 2
    assert "its worker died" in (folder / "shared" / "segmented.log").read_text()
    assert written(folder / "shared") == written(folder / "here")

    before = {path: path.stat().st_mtime_ns for path in (folder / "shared" / "my long").rglob("*")}
    done = vosmem("segment", "list.csv", *OPTIONS, *IN_PROCESSES, "--output", "shared", cwd=folder, check=False)
    assert done.returncode == 1 and done.stdout.count("done already") == 2
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "shared" / "my long").rglob("*")}


@pytest.mark.slow
def test_no_worker_outlives_its_run(folder):
    program = Path(sys.executable).with_name("vosmem")
    command = [program, "segment", "list.csv", *OPTIONS, *IN_PROCESSES, "--output", "orphans"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    masks = folder / "orphans" / "my long" / "masks"
    deadline = time.monotonic() + 120
    while not (masks / "00000.png").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert workers and not alive


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list.csv", "--workers", "2"), "--workers belongs to --engine processes or ray"),
        (("list.csv", "--engine", "processes", "--address", "h:1"), "--address belongs to --engine ray"),
        (("list.csv", "--engine", "processes", "--workers", "0"), "--workers 0"),
        (("list.csv", "--box", "1,2,3,4"), "boxes, points or strokes are given for a list"),
        (("list.csv", "--mask", "masks/long.png"), "--mask is given for a list"),
        (("lost.csv",), "'lost.csv' is missing"),
    ],
)
def test_options_that_do_not_go_with_a_list(folder, tmp_path, monkeypatch, arguments, message):
    from vosmem.cli.segment import run
    from vosmem.errors import InputError

    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=message):
        run([*arguments, *OPTIONS, "--output", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_video_that_fills_the_memory_stops_no_other(folder, monkeypatch):
    """Neither do its tensors stay in memory while the next video is segmented."""
    seen, encode = [], STM.encode_query

    def full(network, frames, *arguments):
        if not seen:
            seen.append(weakref.ref(frames))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        gc.collect()
        assert seen[0]() is None
        return encode(network, frames, *arguments)

    monkeypatch.setattr(STM, "encode_query", full)
    done = in_process("segment", "list.csv", *OPTIONS, "--output", "full", cwd=folder, check=False)
    assert done.returncode == 1 and "set a smaller --size" in table(folder / "full")["error"]["my long"]
    assert table(folder / "full")["state"]["my short"] == "done"
