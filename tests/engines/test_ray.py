"""A Ray cluster of two nodes on this machine: ten sequences of DAVIS while a worker is killed."""

import importlib.util
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.end_to_end.tiny import vosmem
from tests.segmentation.made import write_checkpoint

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="no Ray: pip install 'vosmem[ray]'"),
]
HEAD, OTHER, PORT = "127.0.0.2", "127.0.0.3", 6693  # two addresses of the loopback device are two machines to Ray
NUM_FRAMES = 8  # of each sequence; VOSMEM_ENGINE_FRAMES changes it
OPTIONS = ("--weights", "tiny.ckpt", "--device", "cpu", "--size", "120", "--write", "masks")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[dict[str, str]]:
    """Two nodes of one processor each; yields the environment of those that may join."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    at_once = {"RAY_worker_niceness": "0"}  # else the workers wait for whatever else this machine does
    ray = [Path(sys.executable).with_name("ray"), "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
    where = [
        ["--head", f"--node-ip-address={HEAD}", f"--port={PORT}", "--include-dashboard=false"],
        [f"--address={HEAD}:{PORT}", f"--node-ip-address={OTHER}"],
    ]
    log = open(tmp_path_factory.mktemp("ray") / "log", "w")  # noqa: SIM115 - the nodes write into it
    nodes = []
    for options in where:
        command = [*ray, *options, "--object-store-memory=100000000"]
        nodes.append(psutil.Popen(command, env={**os.environ, **token, **at_once}, stdout=log, stderr=log))
        time.sleep(10)  # the second needs a head to find
    yield token
    family = [process for node in nodes for process in (*node.children(recursive=True), node)]
    for process in family:
        process.terminate()
    for process in psutil.wait_procs(family, timeout=20)[1]:
        process.kill()


@pytest.fixture(scope="module")
def sequences(reference_data, tmp_path_factory) -> Path:
    """The ten sequences, cut to their first frames, as a list; and a tiny network."""
    source = reference_data / "data" / "davis16-half"
    if not source.is_dir():
        pytest.skip(f"{source} is not there: VOSMEM_REFERENCE names the folder above")
    folder = tmp_path_factory.mktemp("sequences")
    write_checkpoint(folder / "tiny.ckpt")
    rows = ["video,mask"]
    for frames in sorted((source / "JPEGImages" / "480p").iterdir()):
        (folder / frames.name).mkdir()
        for path in sorted(frames.iterdir())[: int(os.environ.get("VOSMEM_ENGINE_FRAMES", NUM_FRAMES))]:
            (folder / frames.name / path.name).symlink_to(path)
        rows.append(f"{frames.name},{source}/Annotations/480p/{frames.name}/00000.png")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder


def masks(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("masks/*.png"))}


def ray_workers() -> list[psutil.Process]:
    """Those that have the network at work; Ray calls its processes by what they do."""
    return [p for p in psutil.process_iter(["cmdline"]) if "ray::Worker.run" in " ".join(p.info["cmdline"] or ())]


def test_missing_cluster_is_reported(sequences):
    """First, before there is one."""
    done = vosmem("segment", "list.csv", *OPTIONS, "--engine", "ray", "--output", "none", cwd=sequences, check=False)
    assert done.returncode == 2 and "no Ray cluster answers" in done.stderr.splitlines()[-1]
    assert not (sequences / "none").exists()


def test_ten_sequences_are_done_although_a_worker_is_killed(cluster, sequences):
    program = Path(sys.executable).with_name("vosmem")
    on_ray = ("--engine", "ray", "--address", f"{HEAD}:{PORT}")
    command = [program, "segment", "list.csv", *OPTIONS, *on_ray, "--output", "ray"]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=sequences, env={**os.environ, **cluster, "OMP_NUM_THREADS": "1"})
    while not (sequences / "ray").is_dir() or len(list((sequences / "ray").glob("*/masks"))) < 3:
        assert process.poll() is None and time.monotonic() - began < 300
        time.sleep(0.02)
    while not (busy := ray_workers()):
        assert process.poll() is None
        time.sleep(0.005)
    busy[0].kill()
    assert process.wait(timeout=400) == 0
    print(f"{time.monotonic() - began:.0f} s")
    table = pd.read_csv(sequences / "ray" / "segmented.csv")
    assert len(table) == 10 and set(table["state"]) == {"done"} and table["attempts"].sum() == 11
    assert table["worker"].nunique() >= 2
    assert "its worker died" in (sequences / "ray" / "segmented.log").read_text()

    vosmem("segment", "list.csv", *OPTIONS, "--output", "here", cwd=sequences, **cluster)
    assert masks(sequences / "ray") == masks(sequences / "here") and len(masks(sequences / "ray")) >= 10

    again = vosmem("segment", "list.csv", *OPTIONS, *on_ray, "--output", "ray", cwd=sequences, **cluster)
    assert again.stdout.count("done already") == 10
