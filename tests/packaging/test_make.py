"""Contracts of the Makefile: it lists its targets, names what is missing, and installs once."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLIC_TARGETS = {
    "setup",
    "demo",
    "pretrain",
    "test",
    "test-all",
    "lint",
    "types",
    "format",
    "wheel",
    "check",
    "clean",
}
OUTER_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS", "UV", "TORCH", "VENV", "CONSTRAINTS", "EXTRAS")
OTHER_PYTHON = "make test PYTHON=python3.12"
VENV_PACKAGE = "apt-get install python3-venv"


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in the repository as from a shell, also when a `make test` runs this test."""
    environment = {name: value for name, value in os.environ.items() if name not in OUTER_MAKE}
    environment["PIP_NO_INDEX"] = "1"  # should the Makefile be wrong, no test installs 6 GB
    command = ["make", "UV=", *arguments]  # the last of two `UV=` counts
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)


def executable(path: Path, *lines: str) -> Path:
    """Write a script that can be run."""
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)
    return path


def disguised_python(path: Path, disguise: str) -> Path:
    """A python that runs its `-c` code after the disguise, and can do nothing else."""
    code = ("import sys", disguise, "assert sys.argv[1] == '-c'", "exec(sys.argv[2])")
    return executable(path, f"#!{sys.executable}", *code)


def noting_python(path: Path, notes: Path) -> Path:
    """A python that notes its arguments, and does nothing unless they are `-c` code."""
    ask = f'[ "$1" != -c ] || exec {sys.executable} "$@"'
    return executable(path, "#!/bin/sh", f'echo "$*" >> {notes}', ask)


def stand_in_environment(folder: Path, pip_status: int, prints: tuple[str, ...] = ()) -> Path:
    """An environment whose python notes its arguments in the file `notes`, prints lines, and exits with a status."""
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    says = [f"echo '{line}'" for line in prints]
    executable(folder / "bin" / "python", "#!/bin/sh", f'echo "$*" >> {folder}/notes', *says, f"exit {pip_status}")
    for name in ("pip", "ruff"):
        executable(folder / "bin" / name, "#!/bin/sh")
    return folder


@pytest.mark.parametrize("arguments", [[], ["help"]])
def test_help_lists_every_public_target(arguments):
    listed = re.findall(r"^  ([a-z-]+) +\w", make(*arguments).stdout, flags=re.MULTILINE)
    declared = re.search(r"^\.PHONY: (.*)$", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(listed) >= PUBLIC_TARGETS
    assert sorted(listed) == sorted(declared[1].split())


@pytest.mark.parametrize(
    ("disguise", "message", "fix"),
    [
        (
            "sys.version_info = (3, 9, 2, 'final', 0)",
            "needs Python 3.11 or newer; {} is 3.9.2.",
            OTHER_PYTHON,
        ),
        ("sys.exit(127)", "needs Python 3.11 or newer; {} does not run.", OTHER_PYTHON),
        ("sys.modules['ensurepip'] = None", "the venv module of {} is missing", VENV_PACKAGE),
        ("sys.modules['venv'] = None", "the venv module of {} is missing", VENV_PACKAGE),
    ],
    ids=["too old", "does not run", "no ensurepip", "no venv"],
)
def test_unsuitable_python_is_named_in_one_line(tmp_path, disguise, message, fix):
    python = disguised_python(tmp_path / "python3", disguise)
    done = make("test", f"VENV={tmp_path / 'venv'}", f"PYTHON={python}")
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    assert done.returncode == 2  # of make: a target could not be made
    assert message.format(python) in line
    assert fix in line
    assert not (tmp_path / "venv").exists()


def test_folder_without_an_environment_is_unchanged(tmp_path):
    keepsake = tmp_path / "thesis.txt"
    keepsake.touch()
    done = make("setup", f"VENV={tmp_path}", f"PYTHON={sys.executable}")
    assert done.returncode == 2  # of make: a target could not be made
    assert "is no virtual environment" in done.stderr
    assert keepsake.exists()


def test_failed_install_leaves_no_stamp(tmp_path):
    folder = stand_in_environment(tmp_path / "venv", pip_status=1)
    assert make("setup", f"VENV={folder}", f"PYTHON={sys.executable}").returncode == 2
    assert "-m pip install" in (folder / "notes").read_text()
    assert not (folder / ".installed").exists()


def test_successful_install_runs_once(tmp_path):
    folder = stand_in_environment(tmp_path / "venv", pip_status=0)
    for target in ("setup", "format", "setup"):
        assert make(target, f"VENV={folder}", f"PYTHON={sys.executable}").returncode == 0
    assert (folder / "notes").read_text().count("-m pip install") == 1


@pytest.mark.parametrize("broke_off", [True, False])
def test_only_an_environment_with_an_interrupted_install_is_created_again(tmp_path, broke_off):
    folder = stand_in_environment(tmp_path / "venv", pip_status=0)
    if broke_off:
        (folder / ".unfinished").touch()
    notes = tmp_path / "notes"
    make("setup", f"VENV={folder}", f"PYTHON={noting_python(tmp_path / 'python3', notes)}")
    assert (f"-m venv --clear {folder}" in notes.read_text()) == broke_off


PIP_LINES = (
    "WARNING: Location /gone is ignored: it is either a non-existing path or lacks a specific scheme.",
    *(f"Collecting package{n}" for n in range(50)),
    "Downloading torch-2.9-cp311-linux.whl (766.7 MB)",
    "  Downloading small-1.0.whl (1.2 MB)",
    "Installing collected packages: a, b",
)


def test_install_shows_progress_and_logs_the_rest(tmp_path):
    folder = stand_in_environment(tmp_path / "venv", pip_status=0, prints=PIP_LINES)
    done = make("setup", f"VENV={folder}", f"PYTHON={sys.executable}")
    assert done.returncode == 0 and done.stderr == ""
    first, *progress, last = done.stdout.splitlines()
    assert "installing about 6 GB" in first and first.endswith("with pip") and last.endswith("is ready")
    pins = sum("==" in line for line in (REPOSITORY / "constraints.txt").read_text().splitlines())
    assert progress == [
        f"  25 of about {pins} packages found",
        f"  50 of about {pins} packages found",
        "  Downloading torch-2.9-cp311-linux.whl (766.7 MB)",
        "  unpacking the packages",
    ]
    assert set(PIP_LINES) <= set((folder / "install.log").read_text().splitlines())


def test_a_failed_install_prints_the_errors_of_pip_and_no_warning(tmp_path):
    lines = ("WARNING: of the configuration", "ERROR: No matching distribution found for torch==0")
    folder = stand_in_environment(tmp_path / "venv", pip_status=1, prints=lines)
    done = make("setup", f"VENV={folder}", f"PYTHON={sys.executable}")
    assert done.returncode != 0
    assert lines[1] in done.stderr and "install.log" in done.stderr
    assert "WARNING" not in done.stdout + done.stderr


@pytest.fixture
def uv(tmp_path) -> Path:
    """A uv that notes its arguments and what it knows of pip's configuration."""
    settings = "$UV_DEFAULT_INDEX $UV_INDEX $UV_FIND_LINKS"
    return executable(tmp_path / "uv", "#!/bin/sh", f'echo "$*; {settings}" >> {tmp_path}/uv_notes')


def test_uv_installs_where_it_is_and_reads_the_configuration_of_pip(tmp_path, uv, monkeypatch):
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://one")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://two https://three")
    monkeypatch.setenv("PIP_FIND_LINKS", "/four /five")
    folder = stand_in_environment(tmp_path / "venv", pip_status=0)
    for _ in range(2):  # the second installs nothing
        done = make("setup", f"VENV={folder}", f"PYTHON={sys.executable}", f"UV={uv}")
        assert done.returncode == 0, done.stderr
    (note,) = (tmp_path / "uv_notes").read_text().splitlines()
    assert note.startswith(f"pip install --python {folder}/bin/python -c constraints.txt -e .[dev,")
    assert note.endswith("; https://one https://two https://three /four,/five")
    assert "pip install" not in ((folder / "notes").read_text() if (folder / "notes").exists() else "")


def test_settings_of_uv_itself_are_kept(tmp_path, uv, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mine")
    monkeypatch.setenv("PIP_INDEX_URL", "https://one")
    folder = stand_in_environment(tmp_path / "venv", pip_status=0)
    make("setup", f"VENV={folder}", f"PYTHON={sys.executable}", f"UV={uv}")
    assert "; https://mine " in (tmp_path / "uv_notes").read_text()


def test_uv_on_the_path_is_found(tmp_path, uv, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    command = ["make", "--dry-run", "setup", f"VENV={tmp_path / 'venv'}", f"PYTHON={sys.executable}"]
    environment = {name: value for name, value in os.environ.items() if name not in OUTER_MAKE}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert f"{uv} pip install --python" in done.stdout


def test_torch_cpu_takes_both_cpu_builds_before_the_rest(tmp_path):
    folder = stand_in_environment(tmp_path / "venv", pip_status=0)
    done = make("setup", f"VENV={folder}", f"PYTHON={sys.executable}", "TORCH=cpu", "TORCH_INDEX=https://cpu")
    assert done.returncode == 0 and "about 3 GB" in done.stdout
    builds, rest, tried = (folder / "notes").read_text().splitlines()
    assert "--no-deps --index-url https://cpu" in builds
    assert re.search(r" torch==[\d.]+\+cpu torchvision==[\d.]+\+cpu$", builds)
    assert "-c constraints.txt" in rest and tried == "-c import torchvision"


def test_unavailable_torch_cpu_is_reported_in_one_line(tmp_path):
    folder = stand_in_environment(tmp_path / "venv", pip_status=1, prints=("ERROR: no such thing",))
    done = make("setup", f"VENV={folder}", f"PYTHON={sys.executable}", "TORCH=cpu", "TORCH_INDEX=https://cpu")
    assert done.returncode != 0 and not (folder / ".installed").exists()
    line, _ = done.stderr.splitlines()  # the other is make's own
    assert re.search(
        r"TORCH=cpu: neither https://cpu nor the configured registry has torch==\S+\+cpu torchvision", line
    )
    assert "leave TORCH=cpu out" in line
    assert len((folder / "notes").read_text().splitlines()) == 1


def test_another_torch_is_refused(tmp_path):
    done = make("setup", f"VENV={tmp_path / 'venv'}", f"PYTHON={sys.executable}", "TORCH=gpu")
    assert done.returncode != 0 and "TORCH=gpu is unknown: use TORCH=cpu" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_the_demo_segments_the_shipped_clip_and_prints_where_its_files_lie(tmp_path):
    folder = stand_in_environment(tmp_path / "venv", pip_status=0)
    vosmem = executable(folder / "bin" / "vosmem", "#!/bin/sh", 'echo "$*"')
    done = make("demo", f"VENV={folder}", f"PYTHON={sys.executable}", f"DEMO={tmp_path / 'demo'}")
    assert done.returncode == 0, done.stderr
    command, *shown = done.stdout.splitlines()[-3:]
    words = command.split()
    assert vosmem.exists() and words[0] == "segment" and words[words.index("--output") + 1] == str(tmp_path / "demo")
    frames, mask = REPOSITORY / words[1], REPOSITORY / words[words.index("--mask") + 1]
    assert len(list(frames.glob("*.jpg"))) == 20 and mask.stem == min(path.stem for path in frames.iterdir())
    assert shown == [f"overlay: {tmp_path}/demo/overlay.mp4", f"page:    {tmp_path}/demo/report.html"]
