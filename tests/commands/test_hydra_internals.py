"""Expectations about Hydra's parser of overrides. A failure names the change of Hydra that broke vosmem."""

from importlib.metadata import version

import pytest

from vosmem.commands.hydra_internals import parse_overrides


@pytest.mark.parametrize(
    ("typed", "key", "value"),
    [
        ("memory.k=5", "memory.k", 5),
        ("+new=true", "new", True),
        ("eval_set=davis2017", "eval_set", "davis2017"),
        ("name='a (b)'", "name", "a (b)"),
        ("sizes=[1,2]", "sizes", [1, 2]),
    ],
)
def test_overrides_are_parsed_by_key(typed, key, value):
    assert parse_overrides([typed]) == {key: value}, (
        f"hydra-core {version('hydra-core')} changed OverridesParser or Override.key_or_group, which vosmem needs to "
        "put the keys of a sweep's jobs into one table (last seen right in 1.3.8)"
    )
