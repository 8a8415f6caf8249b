"""The network that comes with the package, as a start for the parts of others."""

from functools import cache
from importlib import resources
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

FOLDER = Path(str(resources.files("vosmem.weights")))
DEFAULT = "remn_small"
BUNDLED = "bundled"  # as `weights` of a network
FRAME_TRUNK, MASK_TRUNK = "key_encoder", "value_encoder"


def bundled_part(part: str) -> dict[str, Tensor]:
    """The weights of one of its parts, such as `decoder`, by their names within the part."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): tensor for name, tensor in _state().items() if name.startswith(prefix)}


def start_from_bundled(module: nn.Module, part: str) -> None:
    """Fill the parameters of a module that have the name and shape of one of the part; others keep what they drew."""
    own = module.state_dict()
    fitting = {
        name: value for name, value in bundled_part(part).items() if name in own and own[name].shape == value.shape
    }
    module.load_state_dict(fitting, strict=False)


@cache
def _state() -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in load_file(FOLDER / f"{DEFAULT}.safetensors").items()}
