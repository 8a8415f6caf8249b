"""A simulated CUDA device: the CPU computes, and Python sees tensors of a GPU.

It shows that the code for GPUs runs, mixes no devices and waits only where it says, and that its results are those of
the CPU. It shows nothing about kernels, speed and memory, and does not see waits inside of PyTorch, for which there are
the meta tensors of `tests/waits.py` and profiles. Activations cannot be recomputed on it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures.thread import _WorkItem
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

DEVICE = torch.device("cuda", 0)
# Calls for which the CPU waits for a number of the device.
WAITING = {
    *("item", "tolist", "nonzero", "argwhere", "unique", "unique_consecutive", "bincount", "masked_select", "equal"),
    *("allclose", "is_nonzero", "__bool__", "__int__", "__float__", "__index__", "__contains__"),
}
INDEXING = {"__getitem__", "__setitem__", "index_put", "index_put_"}  # copy an index of the CPU to the device
MIXING = {"__get__", "__set__", "copy_", "type_as"}  # take tensors of two devices
_active: list["SimulatedGPU"] = []


class GPUTensor(Tensor):
    """A tensor of the simulated device; calls of PyTorch with such a tensor return such tensors."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Check the devices of a call, and run it on the CPU."""
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name == "__get__" and func.__self__ is Tensor.device:
            return DEVICE
        if name == "__get__" and func.__self__ in (Tensor.is_cuda, Tensor.is_cpu):
            return func.__self__ is Tensor.is_cuda
        if name in ("numpy", "__array__"):
            raise TypeError("can't convert cuda:0 device type tensor to numpy: use Tensor.cpu() first")
        if name == "_has_compatible_shallow_copy_type":  # a moved module gets new parameters
            return False
        asked = _device_of(name, args, kwargs)
        if name == "cpu" or (asked is not None and asked.type == "cpu"):
            _note(name)
            return _plain(super().__torch_function__(func, types, args, kwargs))
        _check(name, args, kwargs)
        return super().__torch_function__(func, types, args, kwargs)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Be saved as a tensor that is loaded onto the CPU."""
        return _plain(self).__reduce_ex__(protocol)


class SimulatedGPU(TorchFunctionMode):
    """Serves the calls that name the device.

    Attributes:
        waits: names of the calls that waited for the device, or copied to it without `non_blocking`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Return tensors of the device where the call asks for them."""
        name, kwargs = getattr(func, "__name__", ""), dict(kwargs or {})
        asked = _device_of(name, args, kwargs)
        if asked is None or asked.type != "cuda":
            return func(*args, **kwargs)
        if name in ("tensor", "as_tensor") or (
            name == "to" and not isinstance(args[0], GPUTensor) and not kwargs.get("non_blocking")
        ):
            self.waits.append(f"{name} copies")
        args = tuple(_plain("cpu" if _names_device(part) else part) for part in args)
        made = func(*args, **{key: "cpu" if key == "device" else value for key, value in kwargs.items()})
        return made.as_subclass(GPUTensor)


@contextmanager
def simulated_gpu() -> Iterator[SimulatedGPU]:
    """Simulate one CUDA device with native bfloat16."""
    mode, autocast, run = SimulatedGPU(), torch.autocast, _WorkItem.run

    def lowering(device_type: str, *arguments: Any, **options: Any) -> torch.autocast:
        return autocast("cpu" if device_type == "cuda" else device_type, *arguments, **options)

    def running(item: _WorkItem) -> None:
        with mode:  # which holds for one thread
            run(item)

    replaced: dict[str, Callable[..., Any]] = {
        "concurrent.futures.thread._WorkItem.run": running,
        "torch.autocast": lowering,
        "torch.Tensor.pin_memory": lambda tensor: tensor,
        "torch.cuda.is_bf16_supported": lambda including_emulation=True: True,
        "torch.cuda.is_available": lambda: True,
        "torch.cuda.mem_get_info": lambda device=None: (2**33, 2**34),
    }
    patches = [mock.patch(name, value) for name, value in replaced.items()]
    _active.append(mode)
    try:
        for patch in patches:
            patch.start()
        with mode:
            yield mode
    finally:
        for patch in patches:
            patch.stop()
        _active.remove(mode)


def _check(name: str, args: Any, kwargs: Any) -> None:
    """Note a call that waits; raise the error of CUDA for tensors of two devices."""
    others = [part for part in _tensors((args, kwargs)) if not isinstance(part, GPUTensor) and part.ndim]
    by_mask = name in INDEXING and any(part.dtype == torch.bool for part in _tensors(args[1]))
    if name in WAITING or by_mask or (others and name in INDEXING):
        _note(name)
    elif others and name not in MIXING:
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, but found cuda:0 and cpu")


def _tensors(parts: Any) -> list[Tensor]:
    return [part for part in tree_leaves(parts) if isinstance(part, Tensor)]


def _device_of(name: str, args: Any, kwargs: Any) -> torch.device | None:
    """The device that a call names; arguments of other names than `to` are no devices."""
    named = [kwargs["device"]] if kwargs.get("device") is not None else []
    named += [part for part in args[1:] if name == "to" and _names_device(part)]
    return torch.device(named[0]) if named else None


def _names_device(part: Any) -> bool:
    return isinstance(part, torch.device) or (isinstance(part, str) and part.split(":")[0] in ("cpu", "cuda"))


def _plain(part: Any) -> Any:
    with torch._C.DisableTorchFunctionSubclass():
        return part.as_subclass(Tensor) if isinstance(part, GPUTensor) else part


def _note(name: str) -> None:
    for mode in _active:
        mode.waits.append(name)
