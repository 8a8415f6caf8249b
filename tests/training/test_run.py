"""Which runs have nothing more to do."""

import json

import pytest

from vosmem.training.run import finished_run
from vosmem.training.saving import CheckpointFiles


@pytest.mark.parametrize(
    ("max_steps", "max_time", "scored", "finished"),
    [
        (3, None, True, True),
        (2, None, True, True),
        (4, None, True, False),
        (4, "00:00:01:30", True, True),
        (4, {"minutes": 2}, True, False),
        (3, None, False, False),
    ],
)
def test_a_run_is_finished_by_its_steps_or_its_time_once_it_is_scored(
    tmp_path, capsys, max_steps, max_time, scored, finished
):
    state = {"global_step": 3, "callbacks": {"Timer": {"time_elapsed": {"train": 100.0}}}}
    CheckpointFiles().save_checkpoint(state, tmp_path / "checkpoints" / "last.ckpt")
    scores = {"first mask copied": 0.2, **({"after training": 0.5} if scored else {})}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    report = finished_run(tmp_path / "checkpoints" / "last.ckpt", tmp_path, max_steps, max_time)
    assert (report is not None) == finished == ("is finished at step 3" in capsys.readouterr().err)
    if report is not None:
        assert report.scores == scores and list(report.files) == ["checkpoint"]
