"""The overrides of a resumed run."""

import pytest

from vosmem.cli.resume import resumed_arguments
from vosmem.errors import InputError


@pytest.fixture
def run(tmp_path):
    """The folder of a run that was resumed before to replay a step."""
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("[seed=1, resume=before, replay=true]\n")
    return tmp_path


def test_saved_overrides_come_before_new_ones(run):
    expected = ["seed=1", "seed=2", f"resume='{run}'", f"hydra.run.dir='{run}'"]
    assert resumed_arguments("train", [f"resume={run}", "seed=2"]) == expected


@pytest.mark.parametrize("arguments", [["seed=1"], ["resume=null"], ["resume='elsewhere'", "seed=1", "hydra.mode=RUN"]])
def test_arguments_without_resume_and_of_further_processes_are_unchanged(arguments):
    assert resumed_arguments("train", arguments) == arguments


def test_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="not the folder of a run"):
        resumed_arguments("train", [f"resume={tmp_path}"])


def test_run_of_another_command_is_refused(tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("- seed=1\n")
    (tmp_path / ".hydra" / "hydra.yaml").write_text("hydra: {job: {name: evaluate}}\n")
    with pytest.raises(InputError, match="it is a run of `vosmem evaluate`; name one of `vosmem train`"):
        resumed_arguments("train", [f"resume={tmp_path}"])
    assert resumed_arguments("evaluate", [f"resume={tmp_path}"])[0] == "seed=1"
