"""A network prepared for inference is the same function: exactly, to rounding, or to its precision."""

import pytest
import torch

from vosmem.inference.engine.engine import Engine
from vosmem.inference.engine.precision import in_precision
from vosmem.networks import REMN, STM, LocalAttention
from vosmem.networks.compilation import compile_parts
from vosmem.networks.folding import fold_batch_norms, lower_convolutions
from vosmem.ops.attention import MemoryReadConfig
from vosmem.ops.locality import cells
from vosmem.shapes import Prior

WIDTHS = {"key_channels": 8, "value_channels": 8, "decoder_channels": 8, "weights": "none"}
NETWORKS = {
    "stm": lambda: STM(backbone="resnet10", **WIDTHS),
    "remn": lambda: REMN(backbone="resnet10", **WIDTHS, value_weights="none"),
    "remn_local": lambda: REMN(
        backbone="resnet10", **WIDTHS, value_weights="none", local_attention=LocalAttention(0.5, 4.0), gate=True
    ),
}
CPU = torch.device("cpu")


@torch.inference_mode()
def answer(network, size=(32, 48)):
    rng = torch.Generator().manual_seed(3)
    frames = torch.rand(2, 1, 3, *size, generator=rng)
    masks = (torch.rand(1, 2, *size, generator=rng) > 0.5).float()
    query = network.encode_query(frames[0])
    memory = network.encode_memory(frames[0], masks, query=query)
    query = network.encode_query(frames[1], Prior(cells(masks)))
    return network.segment(query, memory).softmax(dim=1)


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_weights_equal_those_of_autocast(name):
    network = fold_batch_norms(NETWORKS[name]())
    with in_precision(torch.bfloat16, CPU):
        expected = answer(network)
        lower_convolutions(network, torch.bfloat16)
        torch.testing.assert_close(answer(network), expected, rtol=0, atol=0)
    assert network.decoder.predict.weight.dtype == torch.bfloat16
    assert network.trunks()[0].mean.dtype == torch.float32


def test_ready_does_not_change_its_argument(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    network = NETWORKS["stm"]().train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    engine = Engine(CPU, "bf16", memory_read=MemoryReadConfig(top_k=4))
    ready = engine.ready(network)
    assert ready.memory_read.top_k == 4 and network.memory_read.top_k is None
    assert not ready.training and network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    with engine.context():
        torch.testing.assert_close(answer(ready), answer(network.eval()), atol=0.05, rtol=0)


def test_without_a_compiler_the_network_runs_uncompiled(monkeypatch, caplog):
    def no_compiler(*arguments, **options):
        raise RuntimeError("no C++ compiler\nwas found")

    monkeypatch.setattr(torch, "compile", no_compiler)
    network = fold_batch_norms(NETWORKS["stm"]())
    expected = answer(network)
    assert not compile_parts(network, CPU)
    (line,) = caplog.messages
    assert "no C++ compiler was found" in line
    torch.testing.assert_close(answer(network), expected, rtol=0, atol=0)


@pytest.mark.slow  # compiling takes half a minute
@pytest.mark.parametrize("name", NETWORKS)
def test_a_compiled_network_is_the_same_function(name):
    network = NETWORKS[name]()
    compiled = Engine(CPU, compile=True).ready(network)
    for size in ((32, 48), (48, 32)):
        torch.testing.assert_close(answer(compiled, size), answer(network.eval(), size), rtol=0, atol=1e-5)
