"""Contracts of the package: the files that name requirements agree, and the configs are installed with it."""

import configparser
import re
import subprocess
import sys
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.lower_bounds import APART, lower_bounds

REPOSITORY = Path(__file__).resolve().parents[2]
SETUP = configparser.ConfigParser()
SETUP.read(REPOSITORY / "setup.cfg")
RUNTIME = SETUP["options"]["install_requires"].strip().splitlines()
LOWEST = lower_bounds((REPOSITORY / "setup.cfg").read_text())
EXTRAS = {name: text.strip().splitlines() for name, text in SETUP["options.extras_require"].items()}


def described(lines: list[str]) -> dict[str, str]:
    """Bounds or URL by name, from requirement lines."""
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): r.url or str(r.specifier) for r in requirements}


def pinned() -> dict[str, str]:
    """Versions by name in constraints.txt; a line of any other form fails."""
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_conda_and_setup_cfg_agree():
    environment = OmegaConf.to_container(OmegaConf.load(REPOSITORY / "environment.yml"))
    *conda, pip = environment["dependencies"]
    assert f"python{SETUP['options']['python_requires']}" in conda
    from_pip = [line for line in pip["pip"] if line != "--editable ."]
    assert described(from_pip) == described(RUNTIME)


TOGETHER = [*RUNTIME, *(line for name in EXTRAS if name not in APART for line in EXTRAS[name])]


@pytest.mark.parametrize("line", TOGETHER)
def test_a_requirement_is_pinned_within_its_range(line):
    requirement = Requirement(line)
    version = pinned().get(canonicalize_name(requirement.name))
    assert version is not None, f"constraints.txt lacks {requirement.name}"
    assert requirement.specifier.contains(version, prereleases=True)


def test_the_constraints_of_test_minimum_are_the_declared_lower_bounds():
    found = {canonicalize_name(name): version for name, version in (line.split("==") for line in LOWEST)}
    requirements = [Requirement(line) for line in TOGETHER]
    bounds = [(requirement.name, bound) for requirement in requirements for bound in requirement.specifier]
    declared = {canonicalize_name(name): bound.version for name, bound in bounds if bound.operator == ">="}
    assert found == declared
    assert len(found) == len(requirements)


@pytest.mark.parametrize("line", ["torch", "torch<3", "torch==2.6", "torch>=2.6; python_version < '3.12'", "a @ git+x"])
def test_a_requirement_without_a_plain_lower_bound_is_an_error(line):
    with pytest.raises(ValueError, match=re.escape(repr(line))):
        lower_bounds(f"[options]\ninstall_requires =\n    {line}\n[options.extras_require]\n")


def yaml_files(folder: Traversable, prefix: str = "") -> set[str]:
    """Paths of the YAML files in a package, however it is installed."""
    found = set()
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= yaml_files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            found.add(prefix + entry.name)
    return found


def test_configs_are_package_data():
    conf = REPOSITORY / "conf"
    in_repository = {path.relative_to(conf).as_posix() for path in conf.rglob("*.yaml")}
    assert "train.yaml" in in_repository
    assert yaml_files(resources.files("vosmem.conf")) == in_repository


def test_configs_end_in_what_package_data_names():
    suffixes = {path.suffix for path in (REPOSITORY / "conf").rglob("*") if path.is_file()}
    assert suffixes <= {".yaml", ".py", ".pyc"}


def test_console_script_prints_the_version_of_setup_cfg():
    script = Path(sys.executable).with_name("vosmem")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.split()[1] == SETUP["metadata"]["version"]
