"""Evaluations that are killed, shared by processes, or started in another run's folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import write_davis
from tests.end_to_end.tiny import in_process, tiny_train, vosmem
from tests.youtubevos import write_youtubevos

NAMES = [f"s{number}" for number in range(6)]
EVALUATE = [
    "evaluate", "checkpoint=run/checkpoints/last.ckpt", "eval_set=davis17", "eval_set.root=davis", "device=cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A data set, a trained tiny network, and a whole evaluation."""
    folder = tmp_path_factory.mktemp("evaluation")
    write_davis(folder / "davis", {name: 1 + number % 2 for number, name in enumerate(NAMES)})
    in_process(*tiny_train(folder, "trainer.max_steps=1", "validate_every_steps=1", "hydra.run.dir=run"), cwd=folder)
    in_process(*EVALUATE, "hydra.run.dir=whole", cwd=folder)
    return folder


def outcome(run: Path) -> dict:
    """The content of a results.json without times."""
    content = json.loads((run / "results.json").read_text())
    for changing in ("timing", "memory"):
        del content[changing]
    del content["about"]["num_workers"], content["about"]["threads"]
    return content


def masks(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted((run / "masks").rglob("*.png"))}


def test_a_killed_evaluation_goes_on_and_equals_a_whole_one(folder):
    process = subprocess.Popen(
        [Path(sys.executable).with_name("vosmem"), *EVALUATE, "hydra.run.dir=killed"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    done = folder / "killed" / "sequences"
    deadline = time.monotonic() + 120
    while len(list(done.glob("s*.json"))) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in done.glob("s*.json")}
    assert len(before) >= 2

    in_process("evaluate", "resume=killed", cwd=folder)
    after = {path.name: path.stat().st_mtime_ns for path in done.glob("s*.json")}
    assert len(after) == len(NAMES)
    assert {name: after[name] for name in before} == before, "finished sequences were not evaluated again"
    assert outcome(folder / "killed") == outcome(folder / "whole")
    assert masks(folder / "killed") == masks(folder / "whole")


def test_processes_share_a_data_set(folder):
    done = vosmem(*EVALUATE, "num_workers=2", "hydra.run.dir=shared", cwd=folder)
    assert all(f"{name}: " in done.stdout for name in NAMES)
    assert outcome(folder / "shared") == outcome(folder / "whole")
    assert masks(folder / "shared") == masks(folder / "whole")


def test_an_error_in_a_worker_is_one_line(folder):
    done = in_process(
        *EVALUATE[:1], "method=network", *EVALUATE[2:], "num_workers=1", "hydra.run.dir=none", cwd=folder, check=False
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "no checkpoint is given" in done.stderr


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("method=copy_first_mask", "holds an evaluation made with another"),
        ("num_workers=-1", "num_workers=-1"),
        ("checkpoint=missing.ckpt", "missing.ckpt"),
    ],
)
def test_bad_input(folder, override, named):
    done = in_process(*EVALUATE, "hydra.run.dir=whole", override, cwd=folder, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and named in done.stderr


def test_a_damaged_note_is_named(folder):
    in_process(*EVALUATE, "hydra.run.dir=damaged", cwd=folder)
    note = next((folder / "damaged" / "sequences").glob("s3-*.json"))
    note.write_text(note.read_text()[:40])
    done = in_process("evaluate", "resume=damaged", cwd=folder, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and note.name in done.stderr


def test_youtubevos_to_the_servers_zip(folder):
    write_youtubevos(folder / "ytv")
    method = ["method=copy_first_mask", "save_probabilities=true", "eval_set.root=ytv"]
    done = in_process("evaluate", "eval_set=youtubevos18", *method, "hydra.run.dir=ytv6", cwd=folder)
    assert "not scored" in done.stdout
    with zipfile.ZipFile(folder / "ytv6" / "submission.zip") as archive:
        names = archive.namelist()
    asked = {"0a": (0, 5, 10, 15), "0b": (5, 10, 15)}
    assert names == [f"Annotations/{video}/{t:05d}.png" for video, times in asked.items() for t in times]
    with np.load(folder / "ytv6" / "probabilities" / "0a" / "00015.npz") as written:
        assert written["ids"].tolist() == [0, 7, 3]
    last = np.asarray(Image.open(folder / "ytv6" / "masks" / "0a" / "00015.png"))
    assert set(np.unique(last)) == {0, 3, 7}

    truth = ["eval_set=youtubevos19", "eval_set.all_frames=true", "eval_set.truth=ytv/truth"]
    done = in_process("evaluate", *method, *truth, "hydra.run.dir=ytv30", cwd=folder)
    assert "all unseen" in done.stdout
    outcome = json.loads((folder / "ytv30" / "results.json").read_text())
    assert 0 < outcome["G"] < 1 and outcome["about"]["eval_set"]["all_frames"] is True


def test_two_masks_of_davis_2016_score_alike(folder):
    """0/255 masks and the ids of 2017, where all objects together are the object."""
    union = folder / "union"
    shutil.copytree(folder / "davis", union)
    for path in (union / "Annotations").rglob("*.png"):
        Image.fromarray(np.where(np.asarray(Image.open(path)) > 0, 255, 0).astype(np.uint8)).save(path)
    scores = []
    for root in ("davis", "union"):
        options = ["eval_set=davis16", f"eval_set.root={root}", f"hydra.run.dir=as_{root}"]
        in_process("evaluate", "method=copy_first_mask", *options, cwd=folder)
        scores.append(json.loads((folder / f"as_{root}" / "results.json").read_text()))
    assert scores[0]["sequences"] == scores[1]["sequences"] and scores[0]["num_objects"] == len(NAMES)


@pytest.fixture(scope="module")
def sweep(folder) -> str:
    """Four policies, in `folder/sweep`; what the command printed."""
    return in_process(*EVALUATE, "sweep=table5", "flip=true", "hydra.sweep.dir=sweep", cwd=folder).stdout


def test_a_sweep_ends_with_a_table_and_a_plot(folder, sweep):
    table = pd.read_csv(folder / "sweep" / "table.csv")
    assert list(table["memory"]) == ["first", "previous", "first_and_previous", "every_n"]
    assert table["memory MB"].is_monotonic_increasing and table["J&F"].between(0, 100).all()
    first = json.loads((folder / "sweep" / "0" / "results.json").read_text())
    assert table["J"][0] == pytest.approx(100 * first["J"])
    assert "| every_n |" in sweep and (folder / "sweep" / "plot.png").stat().st_size > 5000


def test_figures_from_runs(folder, sweep):
    runs = ["first=sweep/0", "every five=sweep/3"]
    in_process("report", "percentiles", *runs, "--output", "percentiles.png", cwd=folder)
    in_process("report", "strip", *runs, "--sequence", "s1", "--frames", "0,-1", "--output", "strip.png", cwd=folder)
    with Image.open(folder / "strip.png") as strip:
        assert strip.height == 3 * (160 + 22)  # truth and both policies
    assert (folder / "percentiles.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["strip", "whole", "--sequence", "missing"], "'missing'"),
        (["strip", "whole", "--sequence", "s1", "--frames", "99"], "from 0 to 4"),
        (["strip", "davis", "--sequence", "s1"], "'davis'"),
        (["percentiles", "davis"], "'davis'"),
        (["sweep", "davis"], "'davis'"),
    ],
)
def test_bad_reports(folder, arguments, named):
    done = in_process("report", *arguments, cwd=folder, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and named in done.stderr


@pytest.mark.slow
def test_a_calibrated_threshold_and_the_memory_that_takes_it(folder):
    """The printed threshold can be used in an evaluation, whose table says how many frames were kept."""
    calibrate = ["calibrate", *EVALUATE[1:], "interval=2", "hydra.run.dir=threshold"]
    done = in_process(*calibrate, cwd=folder)
    found = json.loads((folder / "threshold" / "threshold.json").read_text())
    assert found["pairs"] == 2 * len(NAMES) and found["quantiles"]["0.5"] == found["threshold"]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("memory=adaptive ")]
    assert line.endswith(f"={found['threshold']}")
    every = json.loads((folder / "whole" / "results.json").read_text())["memory"]
    assert every["kept_per_100"] == 20 and 1 < every["mean_frames"] < 2  # the first of five frames, and the one before
    memory = [*line.split(), "memory.least_certainty=0", "memory.least_interval=1"]
    in_process(*EVALUATE, *memory, "hydra.run.dir=adaptive", cwd=folder)
    kept = json.loads((folder / "adaptive" / "results.json").read_text())["memory"]
    assert 20 <= kept["kept_per_100"] <= 80 and kept["mean_frames"] >= 1

    for overrides, named in (
        (["memory=first"], "memory=adaptive"),
        (["interval=9"], "9 apart"),
        (["checkpoint=null"], "checkpoint=FILE"),
    ):
        done = in_process(*calibrate, *overrides, cwd=folder, check=False)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and named in done.stderr


def test_deleted_masks_are_made_again(folder):
    vosmem(*EVALUATE, "hydra.run.dir=deleted", cwd=folder)
    (folder / "deleted" / "masks" / "s3" / "00002.png").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "deleted" / "sequences").glob("s*.json")}
    vosmem("evaluate", "resume=deleted", cwd=folder)
    after = {path.name: path.stat().st_mtime_ns for path in (folder / "deleted" / "sequences").glob("s*.json")}
    assert [name[:2] for name in after if after[name] != before[name]] == ["s3"]
    assert masks(folder / "deleted") == masks(folder / "whole")
