"""The folder of the processes of a run, depending on their launcher."""

import pytest
from torch.distributed import TCPStore

from vosmem.cli.process_group import shared_folder

STEP = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "2", "SLURM_NTASKS": "4"}
SLURM_DIR = "hydra.run.dir='${paths.root}/${name}/slurm_7_2'"
QUIET = ["hydra.output_subdir=null", "hydra.job.name=rank_3"]


@pytest.fixture(autouse=True)
def _nobody_started_it(monkeypatch):
    for name in (*STEP, "SLURM_PROCID", "TORCHELASTIC_RUN_ID", "RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "given", "added"),
    [
        ({}, [], []),
        ({**STEP, "SLURM_PROCID": "0"}, ["seed=1"], [SLURM_DIR]),
        ({**STEP, "SLURM_PROCID": "3"}, ["seed=1"], [SLURM_DIR, *QUIET]),
        ({**STEP, "SLURM_PROCID": "3"}, ["hydra.run.dir=mine"], QUIET),
        ({**STEP, "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, [], []),
        ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, [], []),  # of the batch script itself
        ({"TORCHELASTIC_RUN_ID": "none", "RANK": "3"}, ["hydra.run.dir=mine"], QUIET),
    ],
)
def test_processes_share_the_folder_of_the_first(monkeypatch, environment, given, added):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert shared_folder(given) == [*given, *added]


def test_torchrun_processes_share_the_time_of_the_first(monkeypatch):
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    environment = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_RUN_ID": "x"}
    for name, value in {**environment, "TORCHELASTIC_RESTART_COUNT": "0"}.items():
        monkeypatch.setenv(name, value)
    message = []
    for rank in ("0", "3"):
        monkeypatch.setenv("RANK", rank)
        message.append(shared_folder([]))
    assert message[1] == [*message[0], *QUIET] and message[0][0].startswith("hydra.run.dir='${paths.root}/${name}/20")
