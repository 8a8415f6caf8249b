"""What is published with the code agrees with it: workflows, citation, conda recipe, containers."""

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[2]
SETUP = configparser.ConfigParser()
SETUP.read(REPOSITORY / "setup.cfg")
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
# Names on conda-forge that differ from those on the Python package index.
CONDA_NAMES = {"torch": "pytorch", "opencv-python-headless": "py-opencv", "matplotlib": "matplotlib-base"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def called_targets(path: Path) -> list[str]:
    """Targets of each `make` call; those given by an environment variable are taken from the job's matrix."""
    called = []
    for job in load(path)["jobs"].values():
        for step in job["steps"]:
            for call in re.findall(r"^make (\S+)", step.get("run", ""), re.MULTILINE):
                if "$" not in call:
                    called.append(call)
                    continue
                prefix, (key, expression) = call.strip('"').split("$")[0], next(iter(step["env"].items()))
                assert key in call
                name = re.fullmatch(r"\$\{\{ matrix\.(\w+) \}\}", expression).group(1)
                matrix = job["strategy"]["matrix"]
                called += [prefix + value for value in matrix.get(name) or [row[name] for row in matrix["include"]]]
    return called


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_make_targets_that_exist(path):
    assert set(called_targets(path)) <= make_targets()


def test_every_check_of_continuous_integration_is_in_a_workflow():
    loop = re.search(r"^for target in (.*); do", (REPOSITORY / ".ci" / "run").read_text(), re.MULTILINE).group(1)
    called = {target for path in WORKFLOWS for target in called_targets(path)}
    assert set(loop.split()) <= called


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_permissions_are_least(path):
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used and all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) for action in used)
    assert load(path)["permissions"] == {"contents": "read"} and "concurrency" in load(path)
    assert all("timeout-minutes" in job for job in load(path)["jobs"].values())


def test_the_citation_has_the_version():
    assert load(REPOSITORY / "CITATION.cff")["version"] == SETUP["metadata"]["version"]


def test_the_conda_recipe_has_the_requirements_of_setup_cfg():
    recipe = load(REPOSITORY / "recipe" / "recipe.yaml")
    assert recipe["context"]["version"] == SETUP["metadata"]["version"]
    python, *listed = recipe["requirements"]["run"]
    assert python == f"python {SETUP['options']['python_requires']}"
    requirements = [Requirement(line) for line in SETUP["options"]["install_requires"].strip().splitlines()]
    names = {CONDA_NAMES.get(requirement.name, requirement.name): requirement.specifier for requirement in requirements}
    found = dict(line.split(" ") for line in listed)
    assert found.keys() == names.keys()
    for name, specifier in names.items():
        # A build number of the package index (4.9.0.80) is no version of conda-forge.
        assert set(found[name].split(",")) == {re.sub(r"(\d+\.\d+\.\d+)\.\d+", r"\1", str(part)) for part in specifier}


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_containers_copy_files_that_exist_and_run_as_a_user(name):
    text = (REPOSITORY / "docker" / f"Dockerfile.{name}").read_text(encoding="utf-8")
    assert re.search(r"^USER 1000$", text, re.MULTILINE) and "HEALTHCHECK" in text
    sent = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all((REPOSITORY / path).exists() for path in sent)
