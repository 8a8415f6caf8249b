"""Running a task under Hydra as a subcommand, safe for Lightning's re-execution of the command line."""

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from vosmem.cli.hydra_internals import forget_main_module, parse_flags
from vosmem.errors import InputError
from vosmem.files import locked, unwritable, write_text

PINNED = "hydra.mode=RUN"  # stands in the command line of a further process of a job


def run_hydra(
    command: str,
    task: Callable[[DictConfig], None],
    arguments: list[str],
    after_sweep: Callable[[Path], None] | None = None,
) -> None:
    """Compose the primary config of a command and run the task, once or as a multirun.

    Args:
        command: the subcommand as it is typed; its last word names the primary config.
        task: takes the composed config.
        arguments: what stands behind the subcommand on the command line.
        after_sweep: takes the folder of a multirun once its jobs are done, also where some of them failed.

    Raises:
        InputError: the command line names an unknown group, choice or key, a value is missing, the folder is another
            run's, or it cannot be written to.
    """
    flags = parse_flags(arguments)
    program, home = sys.argv[0], _this_process()
    failures: list[Exception] = []

    def job(config: DictConfig) -> None:
        away = _this_process() != home  # a launcher's, on this machine or another
        _pin_command_line(program, command, flags.config_dir, away)
        environment = dict(os.environ)
        try:
            with _own_folder(config):
                task(config)
        except (InputError, HydraException, OmegaConfBaseException, OSError) as error:
            if away:
                raise  # the launcher carries it back
            failures.append(_told(error, config))  # Hydra would print it itself; the other jobs of a sweep go on
        finally:
            # A distributed job leaves its rank and port behind; the next job of a sweep would take itself for a child.
            os.environ.clear()
            os.environ.update(environment)

    original = sys.argv
    overrides = [*flags.overrides, "hydra.output_subdir=null"]  # `_own_folder` writes there
    sys.argv = [f"{program} {command}", *overrides, *_without(arguments, flags.overrides)]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come to us instead of being printed by Hydra
    NoteSweep.folders.clear()
    try:
        hydra.main(version_base="1.3", config_path="pkg://vosmem.conf", config_name=command.split()[-1])(job)()
        if failures:
            raise failures[0]
    except OverrideParseException as error:
        raise InputError(
            f"{error.override!r} cannot be read: a value with spaces, brackets or = needs quotes of its own, as in "
            "\"key='a (b)'\""
        ) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(
            f"{_one_line(error)}; see `vosmem {command} --cfg job` and `vosmem {command} --help`"
        ) from error
    except OSError as error:
        raise unwritable(error, Path(), "name another folder with hydra.run.dir=DIR") from error
    except Exception as error:
        if not _is_a_launchers(error):
            raise
        raise InputError(
            f"a job of the sweep died ({_first_line(error)}): its log lies in the sweep's folder"
        ) from error
    finally:
        sys.argv = original
        for sweep in NoteSweep.folders:
            # Where no job has begun, the error is all there is to say.
            if after_sweep is not None and any(sweep.rglob(".hydra")):
                after_sweep(sweep)


def _without(arguments: list[str], overrides: list[str]) -> list[str]:
    """The flags alone: Hydra takes overrides only where all of them stand together."""
    left = iter([*overrides, None])
    awaited = next(left)
    flags = []
    for argument in arguments:
        if argument == awaited:
            awaited = next(left)
        else:
            flags.append(argument)
    return flags


@contextmanager
def _own_folder(config: DictConfig) -> Iterator[None]:
    """Lock the folder of a job, and note there what it was started with; the further processes of a job leave it."""
    hydra_config = HydraConfig.get()
    rank = next((os.environ[name] for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID") if name in os.environ), "0")
    if rank != "0":
        yield
        return
    folder = Path(hydra_config.runtime.output_dir)
    with locked(folder):
        # Hydra itself would write this before a job could find out that the folder is another run's.
        notes = {"config": config, "hydra": {"hydra": hydra_config}, "overrides": hydra_config.overrides.task}
        for name, content in notes.items():
            write_text(folder / ".hydra" / f"{name}.yaml", OmegaConf.to_yaml(content))
        yield


class NoteSweep(Callback):
    """Notes where a multirun works; its jobs, which would know too, may run in other processes.

    Attributes:
        folders: of the multiruns of this process.
    """

    folders: ClassVar[set[Path]] = set()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note the folder."""
        self.folders.add(Path(config.hydra.sweep.dir).absolute())


def _told(error: Exception, config: DictConfig) -> Exception:
    """What a user hears of an error: of a file that could not be written, the key that names another folder."""
    if not isinstance(error, OSError):
        return error
    key = "output" if "output" in config else "hydra.run.dir"
    told = unwritable(error, Path(), f"name another folder with {key}=DIR")
    told.__cause__ = error
    return told


def _this_process() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


def _is_a_launchers(error: Exception) -> bool:
    """Whether it tells of a job that died, as launchers do; they are extras, so by name."""
    return type(error).__module__.split(".")[0] in ("submitit", "joblib", "ray")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _pin_command_line(program: str, command: str, config_dir: str | None, away: bool) -> None:
    """Make the command line say this job alone.

    Lightning starts its further processes by running `sys.argv` again with `hydra.run.dir` appended. Left as typed,
    that would lose the subcommand's folder, and inside a multirun start the whole sweep again.
    """
    hydra_config = HydraConfig.get()
    flags = ["--config-dir", config_dir] if config_dir else []
    if away:
        forget_main_module()
        multiprocessing.set_start_method(None, force=True)  # joblib's own way starts no loader's processes
    # A sweep that a config asks for would start again as well.
    sys.argv = [program, *command.split(), *flags, *hydra_config.overrides.task, PINNED]
    with read_write(hydra_config):  # type: ignore[arg-type]
        hydra_config.run.dir = hydra_config.runtime.output_dir


def _one_line(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    text = str(error) if cause is None else f"{error} ({cause})"
    return " ".join(text.split())
