"""Ruff, mypy, pytest and the doctests see every Python file of the repository, whatever its folder is called.

Each tool leaves out folders by their names (`build`, `dist`, `venv`, ...) and reports nothing about them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Files that a tool leaves out on purpose: the start of their paths. Everything else has to be seen.
NOT_TYPED = (  # mypy checks the package
    "tests/",  # fixtures are arguments without a type
    "benchmarks/",  # scripts, each with its own test
    "notebooks/",  # cells, which tests run
    "conf/__init__.py",  # nothing but a docstring
    "docs/",  # hooks of mkdocs, which has no types
    "examples/",  # read by users, and run by a test
    "hubconf.py",  # for torch.hub, which a test calls
    "setup.py",
)
NOT_COLLECTED = ("benchmarks/", "notebooks/", "conf/", "docs/", "examples/", "hubconf.py", "setup.py")
HOW_TO_FIX = "rename the folder, or change the tool's settings in pyproject.toml, setup.cfg or .gitignore"

COLLECT = """
import json, sys
import pytest

seen = {}

class Record:
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collect_file(self, file_path, parent):
        # Files outside the folders of testpaths are offered as well, and not taken.
        if any(file_path.is_relative_to(parent.config.rootpath / folder) for folder in parent.config.args):
            for collector in (yield):
                seen.setdefault(type(collector).__name__, []).append(str(file_path))
        else:
            yield
        return []  # no file is imported

# Without tests/conftest.py, which imports torch.
pytest.main(["--collect-only", "--quiet", "--noconftest", "-p", "no:cacheprovider"], plugins=[Record()])
print(json.dumps(seen), file=sys.stderr)
"""


def git(*arguments: str) -> list[str]:
    """The lines that git prints in the repository; the test is skipped outside of a checkout."""
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if done.returncode:
        pytest.skip("the tests do not run in a git checkout, so the files of the repository are not known")
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def files() -> set[str]:
    """Python files that are tracked, or will be once they are added."""
    if Path(git("rev-parse", "--show-toplevel")[0]) != ROOT:
        pytest.skip("the tests lie in the checkout of another repository")
    return {name for name in git("ls-files", "--cached", "--others", "--exclude-standard") if is_python(name)}


def is_python(name: str) -> bool:
    return name.endswith(".py") and (ROOT / name).is_file()


def kept(files: set[str], left_out: tuple[str, ...]) -> set[str]:
    return {name for name in files if not name.startswith(left_out)}


def relative(paths: list[str]) -> set[str]:
    return {Path(path).resolve().relative_to(ROOT).as_posix() for path in paths}


def test_git_ignores_no_file_of_the_code(files):
    folders = ["src", "tests", "conf", "benchmarks", "examples", "integrations"]
    on_disk = {path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*.py")}
    assert on_disk - files == set(), HOW_TO_FIX


def test_ruff_sees_every_file(files):
    command = [sys.executable, "-m", "ruff", "check", "--show-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {name for name in relative(listed) if is_python(name)} == files, HOW_TO_FIX


def test_mypy_sees_every_file_of_the_package(files, monkeypatch):
    from mypy.main import process_options

    monkeypatch.chdir(ROOT)
    sources, _ = process_options([])
    assert relative([source.path for source in sources]) == kept(files, NOT_TYPED), HOW_TO_FIX


@pytest.fixture(scope="module")
def collected() -> dict[str, set[str]]:
    """The files that pytest would open: as tests (`Module`) and as doctests (`DoctestModule`)."""
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run([sys.executable, "-c", COLLECT], cwd=ROOT, env=quiet, capture_output=True, text=True)
    found = json.loads(done.stderr.splitlines()[-1])
    return {kind: relative(paths) for kind, paths in found.items()}


def test_pytest_sees_every_file_of_tests(files, collected):
    expected = {name for name in files if Path(name).name.startswith("test_")}
    assert collected["Module"] == expected, HOW_TO_FIX
    elsewhere = {name for name in kept(files, NOT_COLLECTED) - expected if "\ndef test_" in (ROOT / name).read_text()}
    assert elsewhere == set(), "the names of files of tests start with test_"


def test_no_conftest_hides_files(files):
    hooks = ("collect_ignore", "pytest_ignore_collect", "pytest_collect_file")
    conftests = [ROOT / name for name in files if Path(name).name == "conftest.py"]
    assert [path for path in conftests if any(hook in path.read_text() for hook in hooks)] == []


def test_doctests_see_every_file(files, collected):
    expected = {name for name in kept(files, NOT_COLLECTED) if Path(name).name != "__main__.py"}
    assert collected["DoctestModule"] == expected, HOW_TO_FIX
    examples = {name for name in files - expected if "\n    >>> " in (ROOT / name).read_text()}
    assert examples == set(), "the examples of these files do not run as doctests"
