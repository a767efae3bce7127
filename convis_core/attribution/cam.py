"""Shared by all class activation maps: the gradient at a layer, and enlarging the layer's grid to the picture."""

from torch import Tensor
from torch.nn import functional

from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.gradients import LayerGradient, gradient_at
from convis_core.results import Attribution


def explained_layer(model: LoadedModel, x: Tensor, target: int, layer: str | None) -> LayerGradient:
    """The output A of a layer and the gradient d logit_target / d A, both [1, C, h, w].

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        layer: name of a layer whose output is feature maps; None for the last such layer of the network.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, ``target`` is no class, ``layer`` is not a
            layer with feature maps, or the class logit does not depend on it.
    """
    name = layer or model.spec.cam_layer
    if not name:
        raise SpecError("The network has no convolution; name a layer whose output is feature maps.")
    return gradient_at(model, x, name, target)


def enlarged_to_picture(coarse: Tensor, x: Tensor, target: int, method: str) -> Attribution:
    """A map on a layer's grid as an attribution: values = ReLU(coarse), enlarged by bilinear interpolation.

    Args:
        coarse: signed, [1, 1, h, w].
        x: the picture, [1, 3, S, S].
        target: index of the class.
        method: name of the method.
    """
    enlarged = functional.interpolate(coarse.relu(), size=tuple(x.shape[-2:]), mode="bilinear")
    return Attribution(enlarged[0].cpu(), target, method, coarse=coarse[0, 0].cpu())
