"""One backward pass: saliency, and saliency times the picture."""

import torch
from torch import Tensor

from convis_core.models import LoadedModel
from convis_core.network.predict import check_picture, check_target
from convis_core.results import Attribution
from convis_core.runtime import lanes


def saliency(model: LoadedModel, x: Tensor, target: int) -> Attribution:
    """The gradient of the class logit with respect to every value of the picture.

    values = d logit_target / d x. Pixels are in [0, 1], so a value of 5 says: brighten this channel of this pixel
    by 0.01 and the logit rises by about 0.05.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.

    Returns:
        Signed values, float32 [3, S, S].

    Raises:
        SpecError: when ``x`` is not one picture of the network's size or ``target`` is no class.

    Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2013 (arXiv:1312.6034).
    """
    return Attribution(_gradient(model, x, target), target, "saliency")


def input_x_gradient(model: LoadedModel, x: Tensor, target: int) -> Attribution:
    """The gradient times the picture: what each value contributes if the network were linear.

    values = x * d logit_target / d x. Black pixels get zero whatever the network makes of them.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.

    Returns:
        Signed values, float32 [3, S, S].

    Raises:
        SpecError: when ``x`` is not one picture of the network's size or ``target`` is no class.

    Shrikumar et al., "Not Just a Black Box: Learning Important Features Through Propagating Activation
    Differences", 2016 (arXiv:1605.01713).
    """
    gradient = _gradient(model, x, target)
    return Attribution(x.detach()[0].cpu() * gradient, target, "input x gradient")


def _gradient(model: LoadedModel, x: Tensor, target: int) -> Tensor:
    check_picture(model, x)
    check_target(model, target)
    with lanes.known_grad_mode():
        # The network as it is: folding batch norm would pay only for many pictures, and rounds differently.
        pixels = x.detach().to(model.device, copy=True).requires_grad_(True)
        logit = model.module(pixels)[0, target]
        (gradient,) = torch.autograd.grad(logit, pixels)
    return gradient[0].cpu()
