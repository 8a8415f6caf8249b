"""What to run again when a run is resumed."""

from pathlib import Path

import yaml

from vosmem.cli.hydra_app import PINNED
from vosmem.errors import InputError


def resumed_arguments(command: str, arguments: list[str]) -> list[str]:
    """Replace `resume=RUN_DIR` by the overrides that the run was started with, in its own folder.

    Overrides given now come last and win. Without `resume` the arguments come back as they are.

    Raises:
        InputError: the folder is no run's folder, or that of a run of another command.
    """
    key = "resume="
    given = [argument for argument in arguments if argument.startswith(key) and argument not in (key, "resume=null")]
    if not given or PINNED in arguments:  # a further process is told everything
        return arguments
    run_dir = Path(given[-1].removeprefix(key)).absolute()
    saved = run_dir / ".hydra" / "overrides.yaml"
    if not saved.is_file():
        raise InputError(f"cannot resume {str(run_dir)!r}: it is not the folder of a run (no .hydra/overrides.yaml)")
    notes = saved.with_name("hydra.yaml")
    made_by = yaml.safe_load(notes.read_text(encoding="utf-8"))["hydra"]["job"]["name"] if notes.is_file() else command
    if made_by != command:
        raise InputError(
            f"cannot resume {str(run_dir)!r}: it is a run of `vosmem {made_by}`; name one of `vosmem {command}`"
        )
    before = [
        override
        for override in yaml.safe_load(saved.read_text(encoding="utf-8")) or []
        if not override.startswith((key, "replay="))
    ]
    now = [argument for argument in arguments if argument not in given]
    return [*before, *now, f"resume='{run_dir}'", f"hydra.run.dir='{run_dir}'"]
