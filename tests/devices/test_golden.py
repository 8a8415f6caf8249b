"""The golden runs of the published networks on every device."""

import pytest

from tests.golden_runs import ROUNDING, RUNS, differences


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_golden_run(name, whole):
    error, changed = differences(name, whole.engine)
    assert error < ROUNDING and changed < 1e-4
