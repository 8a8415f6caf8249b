"""What the command line uses of Hydra and of Lightning's launcher beyond their documented interface.

`tests/cli/test_hydra_internals.py` holds each function to what it expects, and says which upstream change broke it.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser


def parse_flags(arguments: Sequence[str]) -> Namespace:
    """A command line as Hydra reads it; `overrides` and `config_dir` are among what comes back.

    Seen in hydra-core 1.3.8: `hydra._internal.utils.get_args_parser`, as `hydra.main` uses it. A copy could read
    another command line than Hydra does.
    """
    return get_args_parser().parse_intermixed_args(list(arguments))


def forget_main_module() -> None:
    """Let Lightning start further processes by `sys.argv` alone.

    Seen in pytorch-lightning 2.6.6: `lightning_fabric.strategies.launchers.subprocess_script` starts `python -m MODULE`
    where `__main__.__spec__` names one, which in a launcher's process is the launcher's.
    """
    sys.modules["__main__"].__spec__ = None
