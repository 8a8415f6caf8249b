"""`vosmem app` as a process: it prints its address, answers, ends cleanly, and reports errors in one line."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.end_to_end.tiny import vosmem as console
from tests.segmentation.made import write_checkpoint

pytest.importorskip("gradio", reason="the page needs Gradio: pip install 'vosmem[app]'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    write_checkpoint(folder / "tiny.ckpt")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_ends_and_leaves_nothing(folder, number):
    process = subprocess.Popen(
        [Path(sys.executable).with_name("vosmem"), "app", "--weights", "tiny.ckpt", "--folder", "visits"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        message = process.stdout.readline()
        found = re.fullmatch(r"vosmem: the page is at (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", message)
        assert found, message + process.stderr.read()
        with urllib.request.urlopen(found[1], timeout=30) as answer:
            assert answer.status == 200
        assert len(list((folder / "visits").iterdir())) == 1
        process.send_signal(number)
        assert process.wait(30) == 0
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
    assert list((folder / "visits").iterdir()) == []


@pytest.mark.slow
def test_a_mistake_is_one_line(folder):
    done = console("app", "--weights", "none.ckpt", cwd=folder, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.ckpt" in done.stderr and len(done.stderr.splitlines()) == 1
