"""A stopped training reports the reason in one line and can be resumed."""

import os
import resource
import shutil
import signal
import subprocess
import time

import pytest
import torch

from tests.conftest import write_images
from tests.end_to_end.faults import RUN, STEPS, arguments, assert_same_training, console, last, train
from tests.end_to_end.tiny import tiny_train
from vosmem.data.sources.image_sets import ImageMaskFolder
from vosmem.files import locked
from vosmem.networks import STM

SHORT = ("trainer.max_steps=3", "validate_every_steps=100", "datamodule.sequences.count=1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A training without faults, and one of three steps."""
    folder = tmp_path_factory.mktemp("guards")
    write_images(folder / "images")
    with pytest.MonkeyPatch.context() as patch:
        assert train(*arguments("whole"), cwd=folder, monkeypatch=patch) == 0
        assert train(*arguments("three", *SHORT), cwd=folder, monkeypatch=patch) == 0
    return folder


def copied(folder, name: str) -> str:
    """The training of three steps again."""
    shutil.copytree(folder / "three", folder / name)
    return name


def on_images(run: str, *extra: str) -> list[str]:
    left_out = ("data.samples", "data.source")
    settings = [override for override in RUN if not override.startswith(left_out)]
    held = ("datamodule.source.every=2", "datamodule.sequences.source.every=2", "datamodule.samples_per_epoch=10")
    return [*tiny_train(data="images", cwd=None), *settings, *held, f"hydra.run.dir={run}", *SHORT, *extra]


def one_line(capfd, *named: str) -> None:
    reported = capfd.readouterr().err
    assert reported.count("vosmem: ") == 1 and "Traceback" not in reported
    (line,) = (line for line in reported.splitlines() if line.startswith("vosmem: "))
    for part in named:
        assert part in line


@pytest.mark.parametrize("kind", ["loss", pytest.param("gradients", marks=pytest.mark.slow)])
def test_a_step_that_is_not_finite_is_named_saved_and_done_over(folder, monkeypatch, capfd, kind):
    run, fails = f"no_number_{kind}", "tests.end_to_end.faults.FailingLoss"
    loss = (f"loss._target_={fails}", "+loss.step=2", f"+loss.kind={kind}")
    message = {"loss": "the loss is nan in step 3, of ", "gradients": "gradients are not finite"}[kind]
    assert train(*arguments(run, *SHORT, *loss), cwd=folder, monkeypatch=monkeypatch) == 2
    one_line(capfd, message, f"vosmem train resume={folder / run} replay=true", "optimizer.lr")
    state = last(folder / run)
    assert state["global_step"] == 2 and state["PretrainData"] == {"epoch": 0, "done": 4}
    assert all(value.isfinite().all() for value in state["state_dict"].values())
    before = {path: path.read_bytes() for path in (folder / run / "checkpoints").iterdir()}

    assert train("train", f"resume={run}", "replay=true", cwd=folder, monkeypatch=monkeypatch) == 0
    reported = capfd.readouterr().out
    assert reported.count("loss ") == 2  # of a step of two batches
    assert ("loss nan" in reported) == (kind == "loss")
    assert "the first gradient that is not finite is of network." in reported or kind == "loss"
    assert before == {path: path.read_bytes() for path in (folder / run / "checkpoints").iterdir()}

    assert train("train", f"resume={run}", "loss.step=99", cwd=folder, monkeypatch=monkeypatch) == 0
    assert last(folder / run)["global_step"] == 3


def test_the_part_of_a_network_that_gives_no_numbers_is_named(folder, monkeypatch, capfd):
    run = folder / copied(folder, "spoilt")
    state = last(run)
    state["state_dict"]["network.decoder.predict.weight"][:] = torch.nan
    torch.save(state, run / "checkpoints" / "last.ckpt")
    more = ("replay=true", "trainer.max_steps=4")
    assert train("train", "resume=spoilt", *more, cwd=folder, monkeypatch=monkeypatch) == 0
    assert "the first output that is not finite is of network.decoder.predict" in capfd.readouterr().out


def test_replay_without_a_run(folder, monkeypatch, capfd):
    assert train(*arguments("nothing", "replay=true"), cwd=folder, monkeypatch=monkeypatch) == 2
    one_line(capfd, "name the run with resume=RUN_DIR")


def test_a_sample_that_cannot_be_read_is_named(folder, monkeypatch, capfd):
    broken = folder / "images" / "images" / "001.jpg"
    content = broken.read_bytes()
    broken.write_bytes(content[:800])  # the header is whole
    assert train(*on_images("sample"), cwd=folder, monkeypatch=monkeypatch) == 2
    one_line(capfd, "001.jpg' cannot be read", "replace the file")
    broken.write_bytes(content)


def test_a_loader_process_that_dies_names_its_sample(folder, monkeypatch, capfd):
    read = ImageMaskFolder.read
    training = os.getpid()

    def deadly(self, index):
        if os.getpid() != training and index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(self, index)

    monkeypatch.setattr(ImageMaskFolder, "read", deadly)
    assert train(*on_images("dead", "calibration.batches=0"), cwd=folder, monkeypatch=monkeypatch) == 2
    one_line(capfd, "a loader process died at sample images/003", "datamodule.num_workers=0")


def test_out_of_memory_says_what_to_turn(folder, monkeypatch, capfd):
    def full(self, *arguments, **keywords):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    run = copied(folder, "memory")
    monkeypatch.setattr(STM, "encode_memory", full)
    more = (f"resume={run}", "trainer.max_steps=4")
    assert train("train", *more, cwd=folder, monkeypatch=monkeypatch) == 2
    one_line(capfd, "out of memory: lower datamodule.device_batch_size", "phase.recompute=true")


def test_a_full_disk_leaves_the_checkpoint_before(folder, monkeypatch, capfd):
    """A limit on the size of a file stands for it."""
    checkpoint = folder / copied(folder, "full") / "checkpoints" / "last.ckpt"
    before = checkpoint.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        more = ("resume=full", f"trainer.max_steps={STEPS}")
        assert train("train", *more, cwd=folder, monkeypatch=monkeypatch) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    one_line(capfd, "cannot be written (File too large): free some space")
    assert checkpoint.read_bytes() == before
    assert sorted(path.name for path in checkpoint.parent.iterdir()) == ["last.ckpt", "previous.ckpt"]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def empty(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("harm", [flip, *(pytest.param(harm, marks=pytest.mark.slow) for harm in (cut, empty))])
def test_a_damaged_checkpoint_is_passed_over(folder, monkeypatch, capfd, harm):
    run = f"damaged_{harm.__name__}"
    status = train(*arguments(run), cwd=folder, monkeypatch=monkeypatch, fault=f"batch 5 {int(signal.SIGTERM)}")
    assert status == 143 and last(folder / run)["global_step"] == 6
    checkpoint = folder / run / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(harm(checkpoint.read_bytes()))
    capfd.readouterr()
    assert train("train", f"resume={run}", cwd=folder, monkeypatch=monkeypatch) == 0
    one_line(capfd, "last.ckpt' is damaged", "continuing from previous.ckpt, step 5")
    assert_same_training(folder / run, folder / "whole")


def test_a_second_run_in_a_folder_changes_nothing(folder, monkeypatch, capfd):
    before = {path: path.read_bytes() for path in (folder / "whole" / ".hydra").iterdir()}
    with locked(folder / "whole"):
        assert train(*arguments("whole", "seed=3"), cwd=folder, monkeypatch=monkeypatch) == 2
        one_line(capfd, f"{str(folder / 'whole')!r} is in use by another run")
        assert train("train", "resume=whole", cwd=folder, monkeypatch=monkeypatch) == 2
        one_line(capfd, "is in use by another run")
    assert before == {path: path.read_bytes() for path in (folder / "whole" / ".hydra").iterdir()}


def test_a_folder_that_cannot_be_written_to(folder, monkeypatch, capfd):
    position = "/proc/missing"  # where not even root can write
    assert train(*arguments(position), cwd=folder, monkeypatch=monkeypatch) == 2
    one_line(capfd, f"'{position}' cannot be written", "hydra.run.dir=DIR")


@pytest.mark.slow
def test_a_wandb_that_does_not_answer(folder):
    """The training continues, and its offline log can be uploaded."""
    missing = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "a" * 40}
    online = ("logger=wandb", "logger.wandb.offline=false", "logger.wandb.settings.init_timeout=3")
    done = console(*arguments("online", *SHORT, *online), cwd=folder, **missing)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("vosmem: W&B does not answer") == 1 and "Traceback" not in done.stderr
    assert last(folder / "online")["global_step"] == 3
    assert len(list((folder / "online" / "wandb").glob("offline-run-*/run-*.wandb"))) == 1


@pytest.mark.slow
def test_a_disk_that_is_full(folder, tmp_path, capfd, monkeypatch):
    """A small file system, where the system allows one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = sum(path.stat().st_size for path in (folder / "three").rglob("*")) + 5 * 2**20
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        shutil.copytree(folder / "three", disk / "run")
        before = (disk / "run" / "checkpoints" / "last.ckpt").read_bytes()
        more = (f"resume={disk / 'run'}", f"trainer.max_steps={STEPS}")
        assert train("train", *more, cwd=folder, monkeypatch=monkeypatch) == 2
        one_line(capfd, "(No space left on device): free some space")
        assert (disk / "run" / "checkpoints" / "last.ckpt").read_bytes() == before
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)  # a log of this process may still be open there


def test_a_clock_that_jumps_changes_nothing(folder, monkeypatch):
    real, calls = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: real() + (next(calls) % 3 - 1) * 365 * 86400)
    assert train(*arguments("clock"), cwd=folder, monkeypatch=monkeypatch) == 0
    assert_same_training(folder / "clock", folder / "whole")
