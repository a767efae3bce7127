"""Input x gradient: saliency times the picture."""

from torch import Tensor

from convis_core.attribution.info import MethodInfo
from convis_core.attribution.methods.saliency import saliency
from convis_core.models import LoadedModel
from convis_core.results import Attribution


def input_x_gradient(model: LoadedModel, x: Tensor, target: int) -> Attribution:
    """The gradient times the picture: what each value would contribute if the network were linear.

    values = x * d logit_target / d x. Black pixels get zero, whatever their effect.

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

    >>> import torch
    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2, bias=False))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> torch.allclose(input_x_gradient(model, x, 1).values.sum(), model.module(x)[0, 1], atol=1e-5)
    True
    """
    gradient = saliency(model, x, target).values
    return Attribution(x.detach()[0].cpu() * gradient, target, "input x gradient")


INFO = MethodInfo(
    id="input_x_gradient",
    label="Input x gradient",
    unit="contribution to the logit",
    signed=True,
    spec_type=None,
    takes_layer=False,
    run=input_x_gradient,
    recipe="attribution.input_x_gradient",
)
