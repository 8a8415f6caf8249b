"""The overrides of a resumed run."""

from pathlib import Path

import yaml

from vosmem.cli.hydra_app import PINNED
from vosmem.errors import InputError


def resumed_arguments(command: str, arguments: list[str]) -> list[str]:
    """Replace `resume=RUN_DIR` by the overrides that the run was started with, and its folder.

    New overrides come last and take precedence. Without `resume` the arguments are unchanged.

    Raises:
        InputError: the folder is not that of a run of this command.
    """
    key = "resume="
    given = [argument for argument in arguments if argument.startswith(key) and argument not in (key, "resume=null")]
    if not given or PINNED in arguments:  # the first process has added all overrides
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
