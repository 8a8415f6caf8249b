"""Weights on the Hub: huggingface_hub against a local server, and torch.hub on this repository."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.checkpoints.made import tamper, write_tiny
from tests.conftest import ROOT
from tests.end_to_end.tiny import vosmem
from tests.hub_server import COMMIT, REVISIONS, hub_server
from tests.reference_checkpoint import reference_state_dict
from tests.segmentation.made import write_frames
from vosmem.checkpoints import hub
from vosmem.checkpoints.hub import FILE, parse_address
from vosmem.errors import InputError

FETCH = "import sys; from vosmem.checkpoints.hub import fetch; print(fetch(sys.argv[1]))"


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("hf://a/b", ("a/b", FILE, None)),
        ("hf://a/b@v2", ("a/b", FILE, "v2")),
        ("hf://a/b/c/d.safetensors", ("a/b", "c/d.safetensors", None)),
        ("hf://a/b/c.safetensors@refs/pr/1", ("a/b", "c.safetensors", "refs/pr/1")),
    ],
)
def test_address_is_split_into_its_parts(address, parts):
    assert parse_address(address) == parts


@pytest.mark.parametrize(
    "address", ["hf://", "hf://a", "hf://a/", "hf://a/b/", "hf://a/b@", "hf://a b/c", "hf://a/b/c.pth"]
)
def test_malformed_address_is_refused(address):
    with pytest.raises(InputError, match=r"no address|no weights file"):
        parse_address(address)


def test_error_names_the_missing_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"pip install 'vosmem\[hub\]'"):
        hub.fetch("hf://a/b")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A folder of repositories, the environment to reach it, and the requests so far."""
    pytest.importorskip("huggingface_hub", reason="needs huggingface_hub (the extra `hub`)")
    folder = tmp_path_factory.mktemp("hub")
    write_tiny(folder / "me" / "vos" / COMMIT / FILE)
    write_tiny(folder / "me" / "vos" / REVISIONS["v2"] / "sub" / "new.safetensors", "remn")
    tamper(write_tiny(folder / "me" / "vos" / COMMIT / "changed.safetensors"), message={"sha256": "0"})
    with hub_server(folder) as (endpoint, asked):
        variables = {
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(folder / "home"),
            "NO_PROXY": "127.0.0.1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        yield folder, variables, asked


def fetch(served, address: str, **more: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, since the library reads its environment when it is imported."""
    variables = {**os.environ, **served[1], **more}
    command = [sys.executable, "-c", FETCH, address]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)


def test_file_is_downloaded_once_and_found_offline(served):
    folder, _, asked = served
    missing = fetch(served, "hf://me/vos", HF_HUB_OFFLINE="1")
    assert missing.returncode and "not in the local cache" in missing.stderr
    paths = [fetch(served, "hf://me/vos").stdout.strip() for _ in range(2)]
    assert paths[0] == paths[1]
    assert Path(paths[0]).read_bytes() == (folder / "me" / "vos" / COMMIT / FILE).read_bytes()
    assert sum(line.startswith("GET") for line in asked) == 1
    count = len(asked)
    assert fetch(served, "hf://me/vos", HF_HUB_OFFLINE="1").stdout.strip() == paths[0]
    assert len(asked) == count
    other = fetch(served, "hf://me/vos/sub/new.safetensors@v2").stdout.strip()
    assert Path(other).read_bytes() == (folder / "me/vos" / REVISIONS["v2"] / "sub/new.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("hf://me/none", "there is no repository 'me/none'"),
        ("hf://me/vos@v9", "it has no revision 'v9'"),
        ("hf://me/vos/none.safetensors", "it holds no 'none.safetensors'"),
        ("hf://gated/vos", "access has to be requested"),
        ("hf://--/--", "no valid name"),
    ],
)
def test_failed_download_is_reported(served, address, match):
    done = fetch(served, address)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode and last.startswith("vosmem.errors.InputError: ") and match in last


def segment(served, folder: Path, address: str) -> subprocess.CompletedProcess[str]:
    write_frames(folder / "frames", folder / "mask.png", 2)
    options = ("--weights", address, "--write", "masks", "--output", "out")
    return vosmem("segment", "frames", "--mask", "mask.png", *options, cwd=folder, check=False, **served[1])


def test_downloaded_file_is_verified(served, tmp_path):
    done = segment(served, tmp_path, "hf://me/vos/changed.safetensors")
    assert done.returncode == 2 and "was changed" in done.stderr and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_segment_accepts_an_address(served, tmp_path):
    assert segment(served, tmp_path, "hf://me/vos").returncode == 0
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 2


def test_torch_hub_loads_from_this_repository(shelf, tmp_path):
    write_tiny(shelf / "remn_small.safetensors", "remn")
    torch.save(reference_state_dict(0), tmp_path / "STM_weights.pth")
    for arguments, name in [
        (("remn_small",), "REMN"),
        (("stm_published", tmp_path / "STM_weights.pth"), "STM"),
        (("load", write_tiny(tmp_path / "a.safetensors")), "STM"),
    ]:
        segmenter = torch.hub.load(str(ROOT), *arguments, source="local", device="cpu")
        assert type(segmenter.network).__name__ == name
