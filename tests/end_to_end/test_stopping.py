"""A training that is asked to stop ends after its step and resumes without a difference."""

import signal

import pytest

from tests.end_to_end.faults import STEPS, VALIDATE, arguments, assert_same_training, last, train

TERM, INT = int(signal.SIGTERM), int(signal.SIGINT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training without faults."""
    folder = tmp_path_factory.mktemp("stopping")
    with pytest.MonkeyPatch.context() as patch:
        assert train(*arguments("whole"), cwd=folder, monkeypatch=patch) == 0
    return folder


@pytest.mark.parametrize(
    ("fault", "status", "saved_at"),
    [
        (f"loss 3 {TERM}", 143, 4),  # with half of the step's gradients gathered
        (f"validation {VALIDATE} {TERM}", 143, VALIDATE),
        pytest.param(f"update {STEPS - 2} {INT}", 130, STEPS - 1, marks=pytest.mark.slow),
        *(pytest.param(f"batch {n} {TERM}", 143, n + 1, marks=pytest.mark.slow) for n in range(STEPS - 1)),
    ],
)
def test_it_goes_on_as_if_it_had_not_been_stopped(whole, monkeypatch, capfd, fault, status, saved_at):
    run = fault.replace(" ", "_")
    assert train(*arguments(run), cwd=whole, monkeypatch=monkeypatch, fault=fault) == status
    reported = capfd.readouterr().err
    assert last(whole / run)["global_step"] == saved_at
    assert f"at step {saved_at}; continue with: vosmem train resume={whole / run}" in reported
    assert train("train", f"resume={run}", cwd=whole, monkeypatch=monkeypatch) == 0
    assert_same_training(whole / run, whole / "whole")
