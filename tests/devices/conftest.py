"""The devices and precisions that every test of this folder runs in."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
import torch

from tests.golden_runs import whole_float32
from tests.simulated_gpu import DEVICE, simulated_gpu
from vosmem.inference.engine.engine import Engine
from vosmem.inference.engine.precision import DTYPES
from vosmem.networks import REMN, STM, LocalAttention

SIMULATED = "simulated GPU"
WIDTHS = {"backbone": "resnet10", "key_channels": 8, "value_channels": 16, "decoder_channels": 8, "weights": "none"}
NETWORKS = {
    "stm": lambda: STM(**WIDTHS),
    "remn": lambda: REMN(**WIDTHS, value_weights="none", local_attention=LocalAttention(0.5, 4.0), gate=True),
    "stcn": lambda: REMN(**WIDTHS, value_weights="none", decoder="stcn"),
}


class Setting(NamedTuple):
    """A device and a precision."""

    device: torch.device
    precision: str

    @property
    def dtype(self) -> torch.dtype:
        """Type of convolutions and products."""
        return DTYPES[self.precision]

    @property
    def engine(self) -> Engine:
        """Engine of the device and precision."""
        return Engine(self.device, self.precision)

    def close(self, found: torch.Tensor, expected: torch.Tensor, factor: float = 1.0) -> None:
        """Compare with a result of float32 on the CPU; float64 is not on every device."""
        bound = factor * {"fp32": 2e-4, "bf16": 0.05, "fp16": 0.01}[self.precision]
        torch.testing.assert_close(found.detach().cpu().float(), expected.detach().float(), rtol=bound, atol=bound)


def combinations(*precisions: str) -> list:
    """Parameters: each accelerator of this machine, and what stands in for it where there is none.

    The simulated GPU computes in float32 as the CPU does, and the CPU in the other precisions.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    everywhere = [(SIMULATED, "fp32"), ("cpu", "bf16"), ("cpu", "fp16")]
    found = [pytest.param(each, id=" ".join(each)) for each in everywhere if each[1] in precisions]
    kinds = [kind for kind, here in present.items() if here]
    return found + [
        pytest.param((kind, precision), marks=pytest.mark.gpu, id=f"{kind} {precision}")
        for kind in kinds
        for precision in precisions
    ]


@pytest.fixture(params=combinations("fp32", "bf16", "fp16"))
def setting(request, monkeypatch) -> Iterator[Setting]:
    """Each device in each precision."""
    yield from _set_up(request.param, monkeypatch)


@pytest.fixture(params=combinations("fp32"))
def whole(request, monkeypatch) -> Iterator[Setting]:
    """Each device in float32, for decisions that rounding could change."""
    yield from _set_up(request.param, monkeypatch)


def _set_up(chosen: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
    kind, precision = chosen
    # The engine refuses precisions that are slower than float32; their results are correct.
    monkeypatch.setattr("vosmem.inference.engine.engine.precision_dtype", lambda name, device: DTYPES[name])
    if kind == SIMULATED:
        with simulated_gpu():
            yield Setting(DEVICE, precision)
    else:
        with whole_float32():
            yield Setting(torch.device(kind), precision)


@pytest.fixture(params=NETWORKS)
def network(request):
    """Each network, from random weights."""
    return NETWORKS[request.param]().eval()


@pytest.fixture
def gated():
    """The network that has every mechanism."""
    return NETWORKS["remn"]().eval()
