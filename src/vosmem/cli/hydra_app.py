"""Run a task under Hydra as a subcommand, safe for Lightning's re-execution of the command line."""

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

PINNED = "hydra.mode=RUN"  # marks the command line of a further process of a job


def run_hydra(
    command: str,
    task: Callable[[DictConfig], None],
    arguments: list[str],
    after_sweep: Callable[[Path], None] | None = None,
) -> None:
    """Compose the primary config of a command and run the task, once or as a multirun.

    Args:
        command: the subcommand as typed; its last word is the name of the primary config.
        task: called with the composed config.
        arguments: of the command line, after the subcommand.
        after_sweep: called with the folder of a multirun after its jobs, even if some of them failed.

    Raises:
        InputError: the command line names an unknown group, choice or key, a value is missing, or the folder belongs to
            another run or cannot be written to.
    """
    flags = parse_flags(arguments)
    program, home = sys.argv[0], _this_process()
    failures: list[Exception] = []

    def job(config: DictConfig) -> None:
        away = _this_process() != home  # in a process of a launcher, on this machine or another
        _pin_command_line(program, command, flags.config_dir, away)
        environment = dict(os.environ)
        try:
            with _own_folder(config):
                task(config)
        except (InputError, HydraException, OmegaConfBaseException, OSError) as error:
            if away:
                raise  # the launcher carries it back
            failures.append(_with_key(error, config))  # Hydra would print it; the other jobs of a sweep continue
        finally:
            # A distributed job leaves its rank and port in the environment; the next job of a sweep would read them.
            os.environ.clear()
            os.environ.update(environment)

    original = sys.argv
    overrides = [*flags.overrides, "hydra.output_subdir=null"]  # `_own_folder` writes there
    sys.argv = [f"{program} {command}", *overrides, *_without(arguments, flags.overrides)]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises exceptions instead of printing them
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
        if not _is_from_launcher(error):
            raise
        raise InputError(
            f"a job of the sweep died ({_first_line(error)}): its log lies in the sweep's folder"
        ) from error
    finally:
        sys.argv = original
        for sweep in NoteSweep.folders:
            # Where no job has started, there is only the error to report.
            if after_sweep is not None and any(sweep.rglob(".hydra")):
                after_sweep(sweep)


def _without(arguments: list[str], overrides: list[str]) -> list[str]:
    """The flags without overrides: Hydra accepts overrides only in one group."""
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
    """Lock the folder of a job and write its config there; further processes of the job do nothing."""
    hydra_config = HydraConfig.get()
    rank = next((os.environ[name] for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID") if name in os.environ), "0")
    if rank != "0":
        yield
        return
    folder = Path(hydra_config.runtime.output_dir)
    with locked(folder):
        # Hydra would write these files before the job could detect that the folder belongs to another run.
        notes = {"config": config, "hydra": {"hydra": hydra_config}, "overrides": hydra_config.overrides.task}
        for name, content in notes.items():
            write_text(folder / ".hydra" / f"{name}.yaml", OmegaConf.to_yaml(content))
        yield


class NoteSweep(Callback):
    """Collects the folders of the multiruns of this process, whose jobs may run in other processes."""

    folders: ClassVar[set[Path]] = set()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note the folder."""
        self.folders.add(Path(config.hydra.sweep.dir).absolute())


def _with_key(error: Exception, config: DictConfig) -> Exception:
    """The error; that of a file that could not be written names the key for another folder."""
    if not isinstance(error, OSError):
        return error
    key = "output" if "output" in config else "hydra.run.dir"
    named = unwritable(error, Path(), f"name another folder with {key}=DIR")
    named.__cause__ = error
    return named


def _this_process() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


def _is_from_launcher(error: Exception) -> bool:
    """Whether a launcher reports a job that died; launchers are extras, so their modules are compared by name."""
    return type(error).__module__.split(".")[0] in ("submitit", "joblib", "ray")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _pin_command_line(program: str, command: str, config_dir: str | None, away: bool) -> None:
    """Replace the command line by that of this job only.

    Lightning starts further processes by running `sys.argv` again with `hydra.run.dir` appended. As typed, the command
    line would lose the folder of the subcommand, and start the whole sweep again inside a multirun.
    """
    hydra_config = HydraConfig.get()
    flags = ["--config-dir", config_dir] if config_dir else []
    if away:
        forget_main_module()
        multiprocessing.set_start_method(None, force=True)  # the start method of joblib cannot start loader processes
    # Also keeps a sweep that a config asks for from starting again.
    sys.argv = [program, *command.split(), *flags, *hydra_config.overrides.task, PINNED]
    with read_write(hydra_config):  # type: ignore[arg-type]
        hydra_config.run.dir = hydra_config.runtime.output_dir


def _one_line(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    text = str(error) if cause is None else f"{error} ({cause})"
    return " ".join(text.split())
