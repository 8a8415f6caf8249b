"""One folder for a run whose processes are started by torchrun or by SLURM's srun."""

import os
from datetime import datetime, timedelta

STORE_SECONDS = 300


def shared_folder(arguments: list[str]) -> list[str]:
    """Add overrides to the arguments of a subcommand, so that all processes of a run work in the folder of the first.

    Without them each process would name a folder by its own clock. Arguments that name the folder, and those of a
    single process, are unchanged. Only the first process writes the files of Hydra.
    """
    rank, named = _rank_and_name(any(argument.startswith("hydra.run.dir=") for argument in arguments))
    if named is not None:
        arguments = [*arguments, f"hydra.run.dir='${{paths.root}}/${{name}}/{named}'"]
    if rank:
        arguments = [*arguments, "hydra.output_subdir=null", f"hydra.job.name=rank_{rank}"]
    return arguments


def _rank_and_name(placed: bool) -> tuple[int, str | None]:
    """The rank of this process over all machines, and the name of the run's folder unless it has one."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return int(os.environ["RANK"]), None if placed else _time_of_first()
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_STEP_ID" in os.environ:
        name = f"slurm_{os.environ['SLURM_JOB_ID']}_{os.environ['SLURM_STEP_ID']}"
        return int(os.environ["SLURM_PROCID"]), None if placed else name
    return 0, None


def _time_of_first() -> str:
    """The start time of torchrun's first process, passed to the other processes through torchrun's store."""
    from torch.distributed import PrefixStore, TCPStore

    wait = timedelta(seconds=STORE_SECONDS)
    where = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = PrefixStore(f"vosmem/{os.environ['TORCHELASTIC_RESTART_COUNT']}", TCPStore(*where, timeout=wait))
    if os.environ["RANK"] == "0":
        store.set("started", datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))
    return store.get("started").decode()
