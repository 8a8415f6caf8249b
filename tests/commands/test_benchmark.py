"""Settings of `vosmem benchmark` that cannot be used."""

import pytest

from vosmem.commands.benchmark import benchmark
from vosmem.commands.common import compose
from vosmem.errors import InputError

SMALL = ["model=stm_tiny", "num_objects=[1]", "num_frames=[1]", "sizes=[[32,48]]", "device=cpu", "paths.output_dir=x"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("min_seconds=-1", "min_seconds=-1 is below 0"),
        ("num_objects=[]", "num_objects is empty"),
        ("engines=[fp32,fp8]", "'fp8' is unknown"),
        ("checkpoint=none.ckpt", "'none.ckpt' not found"),
    ],
)
def test_unusable_setting_is_named(override, message):
    with pytest.raises(InputError, match=message):
        benchmark(compose("benchmark", *SMALL, override), on_row=print)
