"""Features of a timm model, for `backbone: timm/NAME`."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from vosmem.errors import InputError

STRIDES = (4, 8, 16)


class TimmFeatures(nn.Module):
    """A timm model cut after its features at strides 4, 8 and 16.

    Args:
        name: name of the model in timm, such as `mobilenetv3_small_050`.

    Raises:
        InputError: timm is not installed, has no such model, or the model does not have these strides or takes images
            of one size only.
    """

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        reductions = _create(name).feature_info.reduction()
        if not set(STRIDES) <= set(reductions):
            raise InputError(
                f"backbone timm/{name} has features at strides {reductions}: use a model with strides 4, 8 and 16"
            )
        self.indices = tuple(reductions.index(stride) for stride in STRIDES)
        self.model = _create(name, out_indices=self.indices)
        config = self.model.pretrained_cfg
        if config.get("fixed_input_size"):
            raise InputError(f"backbone timm/{name} takes images of one size only: use a convolutional model")
        self.channels = tuple(self.model.feature_info.channels())
        self.mean, self.std = config["mean"], config["std"]
        self.channels_last = getattr(self.model, "output_fmt", None) == "NHWC"

    def forward(self, image: Float[Tensor, "B C H W"]) -> list[Float[Tensor, "B _ _ _"]]:
        """Return the features at strides 4, 8 and 16."""
        features: list[Tensor] = self.model(image)
        return [x.permute(0, 3, 1, 2) for x in features] if self.channels_last else features

    def pretrained(self) -> dict[str, Tensor]:
        """Fetch timm's weights of the model."""
        state = _create(self.name, out_indices=self.indices, pretrained=True).state_dict()
        return {f"model.{name}": value for name, value in state.items()}


def _create(name: str, **settings: Any) -> Any:
    try:
        import timm
    except ImportError as error:
        raise InputError(f"backbone timm/{name} needs timm: pip install 'vosmem[timm]'") from error
    if not timm.is_model(name):  # nor an address on the Hub, which a weights file could ask for
        raise InputError(f"unknown backbone timm/{name}: timm.list_models() names its models")
    try:
        return timm.create_model(name, features_only=True, **settings)
    except (RuntimeError, AttributeError, NotImplementedError) as error:
        if settings.get("pretrained"):
            raise
        raise InputError(
            f"backbone timm/{name} gives no features at several strides: use a convolutional model"
        ) from error
