"""What a resumed run is started with."""

import pytest

from vosmem.cli.resume import resumed_arguments
from vosmem.errors import InputError


@pytest.fixture
def run(tmp_path):
    """The folder of a run that was resumed before, to look at a step."""
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("[seed=1, resume=before, replay=true]\n")
    return tmp_path


def test_what_it_was_started_with_comes_first(run):
    expected = ["seed=1", "seed=2", f"resume='{run}'", f"hydra.run.dir='{run}'"]
    assert resumed_arguments("train", [f"resume={run}", "seed=2"]) == expected


@pytest.mark.parametrize("arguments", [["seed=1"], ["resume=null"], ["resume='elsewhere'", "seed=1", "hydra.mode=RUN"]])
def test_others_and_further_processes_are_told_everything(arguments):
    assert resumed_arguments("train", arguments) == arguments


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(InputError, match="not the folder of a run"):
        resumed_arguments("train", [f"resume={tmp_path}"])


def test_a_run_of_another_command(tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("- seed=1\n")
    (tmp_path / ".hydra" / "hydra.yaml").write_text("hydra: {job: {name: evaluate}}\n")
    with pytest.raises(InputError, match="it is a run of `vosmem evaluate`; name one of `vosmem train`"):
        resumed_arguments("train", [f"resume={tmp_path}"])
    assert resumed_arguments("evaluate", [f"resume={tmp_path}"])[0] == "seed=1"
