"""Saliency: the gradient of the class logit with respect to the pixels."""

import torch
from torch import Tensor

from convis_core.attribution.info import PER_PIXEL, MethodInfo
from convis_core.models import LoadedModel
from convis_core.network.checks import check_picture, check_target
from convis_core.results import Attribution
from convis_core.runtime import lanes


def saliency(model: LoadedModel, x: Tensor, target: int) -> Attribution:
    """The gradient of the class logit with respect to every value of the picture.

    values = d logit_target / d x. Pixels are in [0, 1], so a value of 5 means: brightening this channel of this
    pixel by 0.01 raises the logit by about 0.05.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.

    Returns:
        Signed values, float32 [3, S, S].

    Raises:
        SpecError: when ``x`` is not one picture of the network's size or ``target`` is no class.

    Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2013 (arXiv:1312.6034).

    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> torch.equal(saliency(model, x, 1).values.flatten(), linear[1].weight[1])
    True
    """
    check_picture(model, x)
    check_target(model, target)
    with lanes.known_grad_mode():
        # The network itself: folding batch norm pays off only for many pictures, and rounds differently.
        pixels = x.detach().to(model.device, copy=True).requires_grad_(True)
        logit = model.module(pixels)[0, target]
        (gradient,) = torch.autograd.grad(logit, pixels)
    return Attribution(gradient[0].cpu(), target, "saliency")


INFO = MethodInfo(
    id="saliency",
    label="Saliency",
    unit=PER_PIXEL,
    signed=True,
    spec_type=None,
    takes_layer=False,
    run=saliency,
    recipe="attribution.saliency",
    derivative=True,
)
