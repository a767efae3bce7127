"""Input x gradient: saliency times the picture."""

from torch import Tensor

from convis_core.attribution.info import MethodInfo
from convis_core.attribution.methods.saliency import saliency
from convis_core.models import LoadedModel
from convis_core.results import Attribution


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
