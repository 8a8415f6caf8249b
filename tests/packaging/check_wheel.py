"""Build the wheel and use it as a new user would: in a fresh environment, from another folder.

Run by `make wheel`. The fresh environment borrows the installed dependencies, so nothing is fetched; the
editable install next to them stays out of reach, since only the path is borrowed, not its `.pth` files.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
MAPPED = ("conf", "integrations")  # top-level folders that are packages of vosmem
WHERE = "import vosmem, vosmem.conf; print(vosmem.__file__); print(vosmem.conf.__file__)"


def main() -> None:
    """Build, look inside, install, run; exits with a message at the first thing that does not hold."""
    wheel = build_wheel(REPOSITORY / "dist")
    check_contents(wheel)
    with tempfile.TemporaryDirectory(prefix="vosmem-wheel-") as folder:
        bin_folder = install_wheel(wheel, Path(folder) / "env")
        try_out(bin_folder, Path(folder))
    print(f"wheel: {wheel.relative_to(REPOSITORY)} works in a fresh environment")


def build_wheel(dist: Path) -> Path:
    """Build from a clean slate: what an earlier build left in build/ would find its way into the wheel."""
    for leftover in (REPOSITORY / "build", dist):
        shutil.rmtree(leftover, ignore_errors=True)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(dist)]
    run([*PIP, "wheel", *options, str(REPOSITORY)])
    (wheel,) = dist.glob("vosmem-*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    """Every source file, config and data table is in the wheel, and nothing else but its metadata."""
    expected = {f"vosmem/{folder}/{name}" for folder in MAPPED for name in below(folder, "*.yaml", "*.py")}
    page = ("app/*.css", "app/*.html", "app/*.js")
    data = ("data/*.json", "evaluation/*.json", "segmentation/*.html", "weights/*.safetensors", "weights/*.md")
    clip = ("examples/*.md", "examples/*/*.png", "examples/*/frames/*.jpg")
    expected |= {f"vosmem/{name}" for name in below("src/vosmem", "*.py", "py.typed", *page, *data, *clip)}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    for fault, names in (("lacks", expected - packed), ("should not hold", packed - expected)):
        if names:
            sys.exit(f"wheel: {wheel.name} {fault} {', '.join(sorted(names))}")


def below(folder: str, *patterns: str) -> set[str]:
    """Paths relative to a folder of the repository, of the files that match a pattern."""
    root = REPOSITORY / folder
    return {path.relative_to(root).as_posix() for pattern in patterns for path in root.rglob(pattern)}


def install_wheel(wheel: Path, environment: Path) -> Path:
    """Make a virtual environment with the wheel and a path to this one's packages; returns its bin folder."""
    venv.create(environment, symlinks=True)
    bin_folder = environment / "bin"
    python = bin_folder / "python"
    # Before the path is lent: pip would take the editable install there for this one.
    run([*PIP, "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)])
    site_packages = run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    lent = Path(site_packages, "lent.pth")
    lent.write_text(sysconfig.get_path("purelib") + "\n")
    return bin_folder


def try_out(bin_folder: Path, folder: Path) -> None:
    """Run the console script from a folder that holds nothing of the repository."""
    for line in run([str(bin_folder / "python"), "-c", WHERE], folder).splitlines():
        if not Path(line).is_relative_to(bin_folder.parent):
            sys.exit(f"wheel: the fresh environment imports {line}, which is not its own")
    script = str(bin_folder / "vosmem")
    print(run([script, "--version"], folder).strip())
    job = run([script, "train", "--cfg", "job", "experiment=pretrain_embedded"], folder)
    if not job.strip():
        sys.exit("wheel: `vosmem train --cfg job experiment=pretrain_embedded` printed no config")


def run(command: list[str], folder: Path = REPOSITORY) -> str:
    """Run a command that must succeed and return its output; a PYTHONPATH could hide a missing file."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"wheel: {' '.join(command)} failed\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
