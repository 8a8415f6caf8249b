"""The weights of the network in the package, as initial weights for parts of other networks."""

from functools import cache
from importlib import resources
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

FOLDER = Path(str(resources.files("vosmem.weights")))
DEFAULT = "remn_small"
BUNDLED = "bundled"  # value of a network's `weights`
FRAME_TRUNK, MASK_TRUNK = "key_encoder", "value_encoder"


def bundled_part(part: str) -> dict[str, Tensor]:
    """Return the weights of a part such as `decoder`, by their names in the part."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): tensor for name, tensor in _state().items() if name.startswith(prefix)}


def start_from_bundled(module: nn.Module, part: str) -> None:
    """Fill the entries of a module that have the name and shape of one of the part; the others stay as they are."""
    own = module.state_dict()
    fitting = {k: v for k, v in bundled_part(part).items() if k in own and own[k].shape == v.shape}
    module.load_state_dict(fitting, strict=False)


@cache
def _state() -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in load_file(FOLDER / f"{DEFAULT}.safetensors").items()}
