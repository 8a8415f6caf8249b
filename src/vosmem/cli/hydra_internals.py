"""Undocumented functions of Hydra and of Lightning's launcher that the command line uses.

`tests/cli/test_hydra_internals.py` tests each expectation and names the upstream change that broke it.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser


def parse_flags(arguments: Sequence[str]) -> Namespace:
    """Parse a command line as Hydra does; the result has `overrides` and `config_dir`.

    Seen in hydra-core 1.3.8: `hydra._internal.utils.get_args_parser`, as `hydra.main` uses it. A copy could parse
    differently from Hydra.
    """
    return get_args_parser().parse_intermixed_args(list(arguments))


def forget_main_module() -> None:
    """Make Lightning start further processes only from `sys.argv`.

    Seen in pytorch-lightning 2.6.6: `lightning_fabric.strategies.launchers.subprocess_script` starts `python -m MODULE`
    where `__main__.__spec__` names one, which in a process of a launcher is the launcher.
    """
    sys.modules["__main__"].__spec__ = None
