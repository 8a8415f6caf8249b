"""An undocumented function of Hydra, to read the overrides of earlier jobs.

`tests/commands/test_hydra_internals.py` names the change of Hydra that broke it.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Parse overrides to values by key, as Hydra does.

    Seen in hydra-core 1.3.8: `OverridesParser` and its `Override` are public names without documentation.

    Example:
        >>> parse_overrides(["memory.k=5", "eval_set=davis2017", "sizes=[1,2]"])
        {'memory.k': 5, 'eval_set': 'davis2017', 'sizes': [1, 2]}
    """
    return {o.key_or_group: o.value() for o in OverridesParser.create().parse_overrides(list(overrides))}
