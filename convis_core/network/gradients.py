"""The gradient of a class logit with respect to the output of a layer."""

from typing import NamedTuple

import torch
from torch import Tensor

from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network.checks import check_picture, check_target
from convis_core.network.trace import forward, trace
from convis_core.runtime import lanes


class LayerGradient(NamedTuple):
    """A layer's output and how the class logit changes with it.

    Attributes:
        maps: A, [1, C, h, w], on the model's device.
        gradient: d logit_target / d A, of the same shape.
    """

    maps: Tensor
    gradient: Tensor


def gradient_at(model: LoadedModel, x: Tensor, layer: str, target: int) -> LayerGradient:
    """The output A of a layer and d logit_target / d A, from one forward pass and one backward pass to that layer.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        layer: name of a layer whose output is maps [C, h, w].
        target: index of the class.

    Raises:
        SpecError: when ``x`` is not one picture of the network's size, ``target`` is no class, ``layer`` is no layer
            with maps, or the class logit does not depend on it.

    Of a layer that the logit is the mean of, every cell has the same gradient, 1 / (h w):

    >>> from torch import nn
    >>> from convis_core import models
    >>> network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> maps, gradient = gradient_at(models.wrap(network, input_size=4), torch.rand(1, 3, 4, 4), "0", 1)
    >>> tuple(maps.shape), gradient[0].sum(dim=(1, 2))
    ((1, 2, 2, 2), tensor([0., 1.]))
    """
    check_picture(model, x)
    check_target(model, target)

    def as_leaf(output: Tensor) -> Tensor:
        if output.dim() != 4:
            raise SpecError(f"The output of layer {layer!r} has no rows and columns; choose a layer with maps.")
        # Detached from the layers before it, so that only those after it are differentiated.
        return output.detach().requires_grad_(True)

    with lanes.known_grad_mode():
        pixels = x.detach().to(model.device, copy=True)
        logits, outputs = forward(trace(model), pixels, layers=[layer], edits={layer: as_leaf})
        maps, logit = outputs[layer], logits[0, target]
        if not logit.requires_grad:
            raise SpecError(f"The class score does not depend on the output of layer {layer!r}; choose another.")
        (gradient,) = torch.autograd.grad(logit, maps)
    return LayerGradient(maps.detach(), gradient)
