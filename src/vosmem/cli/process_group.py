"""One folder for a run whose processes are started from outside, by torchrun or by SLURM's srun."""

import os
from datetime import datetime, timedelta

STORE_SECONDS = 300


def shared_folder(arguments: list[str]) -> list[str]:
    """Overrides of one process of a run of several, so that all of them work in the folder of the first.

    Each would name a folder by its own clock otherwise. Where the command line says the folder, or that one process is
    all there is, the arguments come back as they are; what only the first process writes is left to it.

    Args:
        arguments: what stands behind the subcommand.
    """
    rank, named = _rank_and_name(any(argument.startswith("hydra.run.dir=") for argument in arguments))
    if named is not None:
        arguments = [*arguments, f"hydra.run.dir='${{paths.root}}/${{name}}/{named}'"]
    if rank:
        arguments = [*arguments, "hydra.output_subdir=null", f"hydra.job.name=rank_{rank}"]
    return arguments


def _rank_and_name(placed: bool) -> tuple[int, str | None]:
    """This process's rank over all machines, and the name of the run's folder where it has none yet."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return int(os.environ["RANK"]), None if placed else _time_of_first()
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_STEP_ID" in os.environ:
        name = f"slurm_{os.environ['SLURM_JOB_ID']}_{os.environ['SLURM_STEP_ID']}"
        return int(os.environ["SLURM_PROCID"]), None if placed else name
    return 0, None


def _time_of_first() -> str:
    """The time at which torchrun's first process got here, which the others hear through torchrun's own store."""
    from torch.distributed import PrefixStore, TCPStore

    wait = timedelta(seconds=STORE_SECONDS)
    where = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = PrefixStore(f"vosmem/{os.environ['TORCHELASTIC_RESTART_COUNT']}", TCPStore(*where, timeout=wait))
    if os.environ["RANK"] == "0":
        store.set("started", datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))
    return store.get("started").decode()
