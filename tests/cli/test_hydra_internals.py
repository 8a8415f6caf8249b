"""Undocumented functions that the command line uses. A failure names the upstream change that broke vosmem."""

import sys
from importlib.metadata import version

import hydra.utils
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from vosmem.cli.hydra_internals import forget_main_module, parse_flags


def test_hydra_parser_reads_flags_and_overrides_in_any_order():
    flags = parse_flags(["model=stm_small", "--multirun", "seed=0,1", "--config-dir", "own", "-c", "job"])
    found = (flags.overrides, flags.multirun, flags.config_dir, flags.cfg)
    assert found == (["model=stm_small", "seed=0,1"], True, "own", "job"), (
        f"hydra-core {version('hydra-core')} changed hydra._internal.utils.get_args_parser, which vosmem needs to find "
        "overrides from flags (last seen right in 1.3.8)"
    )


def test_lightning_launcher_runs_the_command_line_without_a_main_module(monkeypatch, tmp_path):
    changed = (
        f"pytorch-lightning {version('pytorch-lightning')} changed how its launcher starts further processes, on which "
        "vosmem's distributed jobs in sweeps depend (last seen right in 2.6.6)"
    )
    from lightning_fabric.strategies.launchers import subprocess_script as launcher

    monkeypatch.setattr(sys.modules["__main__"], "__spec__", sys.modules["__main__"].__spec__)  # restored afterwards
    monkeypatch.setattr(sys, "argv", ["/bin/vosmem", "train", "seed=1", "hydra.mode=RUN"])
    monkeypatch.setattr(HydraConfig, "get", lambda: OmegaConf.create({"run": {"dir": str(tmp_path)}}))
    monkeypatch.setattr(hydra.utils, "get_original_cwd", lambda: str(tmp_path))
    monkeypatch.setattr(hydra.utils, "to_absolute_path", lambda path: path)
    forget_main_module()
    assert hasattr(launcher, "_hydra_subprocess_cmd"), changed
    command, _ = launcher._hydra_subprocess_cmd(local_rank=1)
    assert list(command[:5]) == [sys.executable, "/bin/vosmem", "train", "seed=1", "hydra.mode=RUN"], changed
    assert f'hydra.run.dir="{tmp_path}"' in command and "hydra.output_subdir=null" in command, changed
