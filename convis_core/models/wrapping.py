"""Other people's networks: taken in whole, or refused in one sentence."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from convis_core.errors import SpecError
from convis_core.models.pixels import FromPixels
from convis_core.models.registry import out_of_place
from convis_core.models.spec import LoadedModel, ModelSpec, Triple, WeightsSource

_SPATIAL = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.MaxPool2d, nn.AvgPool2d)


def wrap(
    module: nn.Module,
    *,
    categories: Sequence[str] = (),
    input_size: int = 224,
    mean: Triple = (0.0, 0.0, 0.0),
    std: Triple = (1.0, 1.0, 1.0),
) -> LoadedModel:
    """A network of your own as a LoadedModel; the module given is copied, not changed.

    Args:
        module: any module that torch.fx can trace, from normalised pixels [N, 3, S, S] to logits [N, C].
        categories: names of the classes by index; without them they are called "class 0", "class 1", ...
        input_size: side S of the input, in pixels.
        mean: what is subtracted from pixels in [0, 1].
        std: what they are then divided by.

    Raises:
        SpecError: when the module does not map [1, 3, S, S] to [1, C], or when there are not C categories.
    """
    network = copy.deepcopy(module).cpu().eval()
    out_of_place(network)
    pixels = FromPixels(network, mean, std)
    with torch.no_grad():
        logits = pixels(torch.zeros(1, 3, input_size, input_size))
    if logits.dim() != 2 or logits.shape[0] != 1:
        raise SpecError(
            f"A network must return logits [N, C]; this one returned {tuple(logits.shape)} for one picture."
        )
    names = tuple(categories) or tuple(f"class {index}" for index in range(logits.shape[1]))
    if len(names) != logits.shape[1]:
        raise SpecError(f"The network has {logits.shape[1]} classes, but {len(names)} names were given.")
    layers = tuple(name for name, layer in network.named_modules() if name and isinstance(layer, _SPATIAL))
    convolutions = [name for name in layers if isinstance(network.get_submodule(name), nn.Conv2d)]
    spec = ModelSpec(
        id=type(module).__name__,
        label=type(module).__name__,
        year=0,
        paper="",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        weights=WeightsSource("", "", "", 0),
        input_size=input_size,
        mean=mean,
        std=std,
        feature_layers=layers,
        cam_layer=convolutions[-1] if convolutions else "",
        summary="",
        categories=names,
    )
    ready = pixels.eval().requires_grad_(False)
    return LoadedModel(spec, ready, names, input_size, torch.device("cpu"), f"wrapped:{id(ready)}")
